# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What conmon runs when a container has ended: put it in the record, clear away, remove or restart.

It may come late, twice, for a run that was given up, or for one that never began: the nonce of the run
tells. conmon waits for us, and whoever holds the container's lock may wait for conmon, so we never insist
on the lock: as soon as the record says that this run is not ours to settle any more, we go.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ..container.records import REMOVING, ContainerRecord, Restart, find_container, list_hidden
from ..errors import CoracleError, NotFound, TimedOut
from ..linux.processes import ProcessIdentity, identity, is_alive
from ..linux.trees import remove_tree
from .locked_container import locked_container, save
from .prepare_container import prepare
from .remove_container import remove
from .settle_run import schedule_restart, settle_run
from .start_container import release

if t.TYPE_CHECKING:
    from ..engine import Engine

_PATIENCE = 0.2  # seconds that we try for the lock before we look whether we are still meant

Wanted = t.Callable[[ContainerRecord], bool]


def handle_exit(engine: Engine, container_id: str, nonce: str) -> None:
    """Settle the run `nonce` of the container. Returns when the container is at rest, removed, or runs
    again.
    """
    myself = identity(os.getpid())
    trashed: list[str] = []
    restart = None
    with _our_turn(engine, container_id, lambda record: _is_run(record, nonce)) as record:
        if record is None:
            return
        shuts_down = is_shutting_down(engine)
        settle_run(engine, record, None if shuts_down else myself)
        restart = record.state.restart
        removes = record.config.auto_remove and record.state.exit and not _is_awaited(record)
        if removes and not _is_in_replacement(engine, record):
            trashed = remove(engine, record, wait=False)
    for tree in trashed:
        remove_tree(tree)
    while restart is not None and myself is not None:
        restart = _carry_out(engine, container_id, restart, myself)


def shutdown_mark(engine: Engine) -> str:
    """While this file is there the host goes down: policies are at rest."""
    return os.path.join(engine.paths.run_root, "shutdown")


def is_shutting_down(engine: Engine) -> bool:
    return os.path.exists(shutdown_mark(engine))


def restart_now(engine: Engine, record: ContainerRecord) -> None:
    """Start a container because its policy says so. The lock is held, and its last run settled.

    The decision stays in the record until the program runs, so that it is not lost if we are killed.
    """
    record.state.restart_count += 1
    prepare(engine, record)
    release(engine, record)


def _is_run(record: ContainerRecord, nonce: str) -> bool:
    return record.state.phase != REMOVING and record.state.run is not None and record.state.run.nonce == nonce


def _is_awaited(record: ContainerRecord) -> bool:
    return record.state.awaited_by is not None and is_alive(record.state.awaited_by)


def _is_in_replacement(engine: Engine, record: ContainerRecord) -> bool:
    """Either half is for the replacement to remove: the old one is the way back."""
    if record.state.replaces is not None:
        return True
    halves = [half.state.replaces for half in list_hidden(engine.database)]
    return any(replaces is not None and replaces.container_id == record.id for replaces in halves)


@contextlib.contextmanager
def _our_turn(engine: Engine, container_id: str, wanted: Wanted) -> t.Iterator[ContainerRecord | None]:
    """Hold the container as soon as its lock is free; None if we are not wanted (any more)."""
    with contextlib.ExitStack() as stack:
        while True:
            record = find_container(engine.database, container_id)
            if record is None or not wanted(record):
                yield None
                return
            try:
                record = stack.enter_context(locked_container(engine, container_id, timeout=_PATIENCE))
            except TimedOut:
                continue
            except NotFound:
                yield None
                return
            yield record if wanted(record) else None
            return


def _carry_out(
    engine: Engine, container_id: str, restart: Restart, myself: ProcessIdentity
) -> Restart | None:
    """Wait out the pause, without the lock, and restart unless somebody decided otherwise meanwhile.

    Returns the next attempt when the container could not be started: what is missing may come back.
    """
    record = find_container(engine.database, container_id)
    if record is None:
        return None
    time.sleep(record.state.backoff)
    with _our_turn(engine, container_id, lambda record: record.state.restart == restart) as record:
        if record is None or is_shutting_down(engine):
            return None
        try:
            restart_now(engine, record)
        except CoracleError:
            return _next_attempt(engine, record, myself)
    return None


def _next_attempt(engine: Engine, record: ContainerRecord, myself: ProcessIdentity) -> Restart | None:
    """A start that fails counts as a failure for `on-failure`, and never ends `always`."""
    retries = record.config.restart_retries
    if record.config.restart_policy == "on-failure" and retries and record.state.restart_count >= retries:
        record.state.restart = None
    else:
        schedule_restart(record, myself)
    save(engine, record)
    return record.state.restart
