# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Attach to a container that runs: see what its program writes, type to it, leave it by the detach keys.

There is no history. Whoever attaches to a container that removes itself keeps it until its exit code is
read, and removes it then.
"""

from __future__ import annotations

import os
import signal
import time
import typing as t

from ..container.attach_socket import AttachSocket
from ..container.attached import Manner, SocketRemote, check_terminal, converse, show_size
from ..container.detach_keys import DEFAULT_DETACH_KEYS, parse_detach_keys
from ..container.records import ContainerRecord, find_container
from ..container.status import UNKNOWN_CODE, living_processes, observe, read_exit, run_directory
from ..errors import Conflict, CoracleError, NotFound
from ..linux.processes import identity, is_alive
from ..linux.terminal import OUR_STDIO, Stdio
from .locked_container import locked_container, save
from .settle_run import settle_run

if t.TYPE_CHECKING:
    from ..engine import Engine

_PAUSE = 0.002  # seconds between two looks for the exit file; conmon closes its socket just before
_REFUSALS = {
    "paused": "cannot attach to a paused container, unpause it first",
    "restarting": "cannot attach to a restarting container, wait until it is running",
}


def attach_container(
    engine: Engine,
    name: str,
    *,
    stdio: Stdio = OUR_STDIO,
    stdin: bool = True,
    detach_keys: str = DEFAULT_DETACH_KEYS,
    sig_proxy: bool = True,
) -> int | None:
    """The exit code of the container, 128 + n when signal n has ended us; None: the user has detached.

    What is typed goes to a container that takes input (`interactive`). With `sig_proxy` signals go to a
    program without a terminal; one with a terminal gets the keys.
    """
    keys = parse_detach_keys(detach_keys)
    record = find_container(engine.records, name)
    if record is None:
        raise NotFound(f"there is no container {name}")
    _check_runs(engine, record)
    manner = manner_of(engine, record, stdio, stdin, keys, sig_proxy)
    check_terminal(manner)
    record = announce(engine, record)
    with AttachSocket(directory_of(engine, record)) as socket:
        if manner.tty:
            show_size(directory_of(engine, record), stdio, redraw=True)
        return stay(engine, record, socket, manner)


def manner_of(
    engine: Engine, record: ContainerRecord, stdio: Stdio, stdin: bool, keys: bytes, sig_proxy: bool
) -> Manner:
    tty = bool(record.config.tty)
    takes_input = stdin and bool(record.config.interactive)

    def forward(signum: int) -> None:
        from .kill_container import kill_container

        try:
            kill_container(engine, record.id, signal.Signals(signum).name)
        except CoracleError:
            pass  # it has just ended

    return Manner(stdio, takes_input, tty, keys, forward if sig_proxy and not tty else None)


def _check_runs(engine: Engine, record: ContainerRecord) -> None:
    status = observe(engine, record).status
    if status != "running":
        raise Conflict(_REFUSALS.get(status, "cannot attach to a stopped container, start it first"))


def directory_of(engine: Engine, record: ContainerRecord) -> str:
    if record.state.run is None:
        raise Conflict("cannot attach to a stopped container, start it first")
    return run_directory(engine.paths, record.id, record.state.run.nonce)


def announce(engine: Engine, record: ContainerRecord) -> ContainerRecord:
    """A container that removes itself is kept for us, unless somebody else waits already."""
    if not record.config.auto_remove:
        return record
    with locked_container(engine, record.id) as fresh:
        if fresh.state.awaited_by is None or not is_alive(fresh.state.awaited_by):
            fresh.state.awaited_by = identity(os.getpid())
            save(engine, fresh)
        return fresh


def stay(engine: Engine, record: ContainerRecord, socket: AttachSocket, manner: Manner) -> int | None:
    """Relay until one side leaves; the result of `attach_container`."""
    program = living_processes(engine.paths, record).init
    outcome = None
    try:
        with SocketRemote(socket, program, takes_input=manner.stdin) as remote:
            outcome = converse(remote, directory_of(engine, record), manner)
    finally:
        if outcome is None or outcome.kind != "ended":
            socket.close()
            _leave(engine, record)
    if outcome.kind == "ended":
        code = code_of_run(engine, record)
        _remove_if_ours(engine, record.id)
        return code
    return None if outcome.kind == "detached" else 128 + outcome.signum


def code_of_run(engine: Engine, record: ContainerRecord) -> int:
    """How the run of `record` ended, or is about to: from conmon's exit file, or from the record that it was
    folded into.
    """
    run = record.state.run
    while True:
        exit_ = read_exit(engine.paths, record)
        if exit_ is not None:
            return exit_.code
        fresh = find_container(engine.records, record.id)
        if fresh is None:
            return UNKNOWN_CODE
        if fresh.state.run is None or run is None or fresh.state.run.nonce != run.nonce:
            return fresh.state.exit.code if fresh.state.exit else UNKNOWN_CODE
        if living_processes(engine.paths, fresh).conmon is None:
            with locked_container(engine, record.id) as held:
                settle_run(engine, held)
                return held.state.exit.code if held.state.exit else UNKNOWN_CODE
        time.sleep(_PAUSE)


def _leave(engine: Engine, record: ContainerRecord) -> None:
    """Nobody waits for its end any more; if it has ended already, nobody else removes it."""
    if not record.config.auto_remove:
        return
    try:
        with locked_container(engine, record.id) as fresh:
            if fresh.state.awaited_by != identity(os.getpid()):
                return
            settle_run(engine, fresh)
            if fresh.state.run is not None:
                fresh.state.awaited_by = None
                save(engine, fresh)
                return
    except NotFound:
        return
    _remove_if_ours(engine, record.id)


def _remove_if_ours(engine: Engine, container_id: str) -> None:
    record = find_container(engine.records, container_id)
    if record is None or not record.config.auto_remove or record.state.awaited_by != identity(os.getpid()):
        return
    from .remove_container import remove_container

    try:
        remove_container(engine, container_id)
    except NotFound:
        pass  # somebody was faster
