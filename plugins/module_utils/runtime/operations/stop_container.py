# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stop a container: ask its program to end, wait, and end it if it does not.

The lock is not held while the program has its time: others may look, remove or kill meanwhile, so
everything is looked at again afterwards. What stays is that a user wanted it stopped: no policy starts it
again, not even one that was about to.
"""

from __future__ import annotations

import signal as signals
import typing as t

from ..container.effective import DEFAULT_STOP_TIMEOUT, stop_signal
from ..container.oci_runtime import find_runtime
from ..container.records import ContainerRecord
from ..container.status import Processes, group_of, living_processes
from ..container.values import parse_signal, signal_number
from ..errors import NotFound, RuntimeFailure
from ..linux import cgroups
from ..linux.processes import signal_process, wait_until_gone
from .history import note_container
from .locked_container import acting, locked_container, save
from .settle_run import clear_run, run_is_prepared, runtime_of, settle_run

if t.TYPE_CHECKING:
    from ..engine import Engine

_DEATH_TIMEOUT = 10.0  # seconds from SIGKILL to the end of a process, unless the kernel hangs
_CONMON_TIMEOUT = 30.0  # for conmon and the exit handler that it waits for


def stop_container(
    engine: Engine, name: str, *, signal: str | None = None, timeout: int | None = None
) -> ContainerRecord:
    """The record of the container, which is not running any more. Fine if it was not running.

    `signal` and `timeout` (seconds, 0: kill at once) replace the container's own.
    """
    with acting(engine, "stop", name) as found:
        return end_run(engine, found.id, signal=signal, timeout=timeout, by_user=True)


def end_run(
    engine: Engine, name: str, *, signal: str | None = None, timeout: int | None = None, by_user: bool
) -> ContainerRecord:
    """`by_user` false: the host goes down, or a restart follows; what the policy says still counts."""
    cgroups.layout()  # where they cannot be seen, nothing is begun that could not be finished
    with locked_container(engine, name) as record:
        cancel_restart(record)
        record.state.stopped_by_user = record.state.stopped_by_user or by_user
        save(engine, record)
        settle_run(engine, record)
        processes = living_processes(engine.paths, record)
        if record.state.run is None or processes.init is None:
            return record
        if run_is_prepared(engine, record):
            record.state.run = None
            save(engine, record)
            clear_run(engine, record)
            return record
        number = (
            signal_number(parse_signal(signal, "signal"))
            if signal
            else stop_signal(record.config, record.image)
        )
        signal_process(processes.init, number)
        if cgroups.is_frozen(group_of(engine.paths, record)):
            find_runtime(engine.paths, runtime_of(engine, record)).resume(record.id)
    _give_time(record, processes, timeout)
    settled = _settled(engine, record)
    note_container(engine, "stop", settled)
    return settled


def cancel_restart(record: ContainerRecord) -> None:
    """Take back what the policy has decided, and send home the exit handler that waits to carry it out."""
    restart = record.state.restart
    record.state.restart = None
    if restart is not None:
        signal_process(restart.process, signals.SIGTERM)


def _give_time(record: ContainerRecord, processes: Processes, timeout: int | None) -> None:
    if processes.init is None:
        return
    if timeout is None:
        timeout = DEFAULT_STOP_TIMEOUT if record.config.stop_timeout is None else record.config.stop_timeout
    if not wait_until_gone(processes.init, timeout):
        signal_process(processes.init, signals.SIGKILL)
        if not wait_until_gone(processes.init, _DEATH_TIMEOUT):
            raise RuntimeFailure(
                "its program does not die", "look for a hanging disk or NFS server in the kernel log"
            )
    if processes.conmon is not None:
        wait_until_gone(processes.conmon, _CONMON_TIMEOUT)


def _settled(engine: Engine, record: ContainerRecord) -> ContainerRecord:
    """The exit handler has settled the run as a rule; where it was killed, or conmon was, it is done here."""
    try:
        with locked_container(engine, record.id) as fresh:
            same = (
                fresh.state.run is not None
                and fresh.state.run.nonce == (record.state.run or fresh.state.run).nonce
            )
            if same:
                settle_run(engine, fresh)
            return fresh
    except NotFound:
        return record  # removed by its exit handler (auto_remove) or by somebody else
