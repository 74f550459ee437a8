# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Settle a container's last run: if it is over, write down how it ended and clear away what it used.

Every verb that changes a container settles it first, so that whatever a crash, a killed conmon or a reboot
has left is put in order before anything new is done. The order makes it safe to be killed at any instant:
the end is in the record before the run directory with conmon's exit file goes; what is cleared away is
found again by its place, not by memory.
"""

from __future__ import annotations

import os
import signal
import time
import typing as t

from ..container.oci_runtime import find_runtime
from ..container.records import ContainerRecord, Exit, Restart
from ..container.restart_policy import next_pause, wants_restart
from ..container.status import (
    CONMON_KILLED,
    HOST_RESTARTED,
    UNKNOWN_CODE,
    group_of,
    last_sign_of_life,
    living_processes,
    processes_naming,
    read_exit,
    rfc3339,
    run_directory,
    started_at,
    started_file,
    waits_for_start,
)
from ..errors import CleanupFailed, CoracleError, HostNotReady, RuntimeFailure, collecting
from ..linux import cgroups
from ..linux.processes import ProcessIdentity, boot_id, identity, now, signal_process, wait_until_gone
from ..linux.trees import remove_tree
from .end_sessions import end_sessions
from .history import note_container
from .locked_container import save

if t.TYPE_CHECKING:
    from ..engine import Engine

_EXIT_FILE_TIMEOUT = 5.0  # seconds from the death of a container to its exit file; conmon needs some ms
_KILL_TIMEOUT = 10.0


def settle_run(
    engine: Engine, record: ContainerRecord, restarter: ProcessIdentity | None = None
) -> Exit | None:
    """How the last run ended, if it had not been written down; None: it goes on, or there was nothing to
    settle.

    The container's lock is held. `restarter` will carry out what the restart policy says: its decision
    becomes part of the record in the same instant as the end. Without it nothing is restarted.
    """
    run = record.state.run
    if run is None:
        return None
    exit_ = _ending(engine, record)
    if exit_ is None:
        return None
    record.state.run = None
    if exit_.started_at:
        record.state.exit = exit_
        record.state.restart = None
        if restarter is not None and wants_restart(record.config, record.state, exit_):
            schedule_restart(record, restarter, _uptime(run.init))
    save(engine, record)
    if exit_.started_at:
        _note_end(engine, record, exit_)
    clear_run(engine, record)
    return exit_ if exit_.started_at else None


def _note_end(engine: Engine, record: ContainerRecord, exit_: Exit) -> None:
    if exit_.oom_killed:
        note_container(engine, "oom", record)
    note_container(engine, "die", record, exitCode=exit_.code)


def abandon_run(engine: Engine, record: ContainerRecord, error: BaseException) -> None:
    """A run that could not be started has not happened; `error` becomes the container's.

    The record first: from then on the exit handler of this run knows that it is not meant.
    """
    record.state.run = None
    record.state.error = str(error) if isinstance(error, CoracleError) else type(error).__name__
    problems: list[BaseException] = []
    with collecting(problems):
        save(engine, record)
    with collecting(problems):
        clear_run(engine, record)


def schedule_restart(record: ContainerRecord, restarter: ProcessIdentity, uptime: float = 0.0) -> None:
    """Put the policy's decision into the record; the caller saves it."""
    state = record.state
    state.backoff = next_pause(state.backoff, uptime)
    state.restart = Restart(restarter, boot_id(), rfc3339(time.time_ns() + int(state.backoff * 10**9)))


def clear_run(engine: Engine, record: ContainerRecord) -> None:
    """Take away everything that a run needs and the container does not: processes, groups, interfaces,
    mounts, sockets.

    Each step is fine if there is nothing left to do; all are tried, and what failed is reported then.
    """
    from ..layers.snapshots import unmount_root
    from .attach_network import detach_network
    from .attach_volumes import detach_volumes
    from .join_namespaces import leave_namespaces

    paths = engine.paths
    errors: list[BaseException] = []
    with collecting(errors):
        _end_makers(engine, record)
    with collecting(errors):
        end_processes(engine, record)
    with collecting(errors):
        end_sessions(paths, record.id)
    with collecting(errors):
        _forget_in_runtime(engine, record)
    with collecting(errors):
        cgroups.remove(group_of(paths, record))
    with collecting(errors):
        detach_network(engine, record)
    with collecting(errors):
        unmount_root(paths.container(record.id))
    with collecting(errors):
        detach_volumes(engine, record)
    with collecting(errors):
        leave_namespaces(engine, record.id)
    with collecting(errors):
        remove_tree(paths.container_run(record.id))
    if errors:
        raise CleanupFailed(f"clear away the last run of container {record.name}", errors)


def clear_leftovers(engine: Engine, record: ContainerRecord) -> None:
    """`clear_run`, if somebody was killed before he had done it. A mount alone is what the next run wants,
    too.
    """
    paths = engine.paths
    group = group_of(paths, record)
    places = [
        paths.container_run(record.id),
        os.path.join(paths.oci_runtime, record.id),
        paths.network_namespace(record.id),
        paths.shared_memory(record.id),
        *(os.path.join(hierarchy, group) for hierarchy in cgroups.layout().hierarchies),
    ]
    if any(map(os.path.lexists, places)):
        clear_run(engine, record)


def _end_makers(engine: Engine, record: ContainerRecord) -> None:
    """End conmon and runtime of a run whose program was never let go: whoever started them may have been
    killed, and they would go on to make processes and groups while we clear them away.
    """
    paths = engine.paths
    programs = {os.path.basename(engine.conmon), os.path.basename(runtime_of(engine, record))}
    for nonce in _names(paths.container_run(record.id)):
        if os.path.exists(started_file(paths, record.id, nonce)):
            continue
        makers = processes_naming(run_directory(paths, record.id, nonce), programs)
        for process in makers:
            signal_process(process, signal.SIGKILL)
        for process in makers:
            wait_until_gone(process, _KILL_TIMEOUT)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def end_processes(engine: Engine, record: ContainerRecord) -> None:
    """Kill every process of the container, paused or not, and wait until all are gone."""
    group = group_of(engine.paths, record)
    deadline = time.monotonic() + _KILL_TIMEOUT
    while time.monotonic() < deadline:
        living = [process for process in map(identity, cgroups.processes(group)) if process]
        if not living:
            return
        for process in living:
            signal_process(process, signal.SIGKILL)
        if cgroups.is_frozen(group):
            find_runtime(engine.paths, runtime_of(engine, record)).resume(record.id)
        for process in living:
            wait_until_gone(process, deadline - time.monotonic())
    raise RuntimeFailure(
        f"processes of container {record.name} do not die", "look for a hanging disk or NFS server"
    )


def runtime_of(engine: Engine, record: ContainerRecord) -> str:
    return record.config.runtime or engine.runtime


def _forget_in_runtime(engine: Engine, record: ContainerRecord) -> None:
    state_directory = os.path.join(engine.paths.oci_runtime, record.id)
    if not os.path.exists(state_directory):
        return
    try:
        find_runtime(engine.paths, runtime_of(engine, record)).delete(record.id)
    except (RuntimeFailure, HostNotReady):
        # Killed while it wrote its state, or not installed any more; its processes are dead and nothing
        # else is left.
        remove_tree(state_directory)


def _ending(engine: Engine, record: ContainerRecord) -> Exit | None:
    """How the run ended; None while it goes on. A run that cannot go on is ended here."""
    run = record.state.run
    if run is None:
        return None
    if run.boot_id != boot_id():
        ended = last_sign_of_life(engine.paths, record)
        return Exit(UNKNOWN_CODE, run.started_at, ended, error=HOST_RESTARTED)
    processes = living_processes(engine.paths, record)
    exit_ = read_exit(engine.paths, record)
    if exit_ is not None:
        return exit_
    if processes.conmon and processes.init:
        half_made = (
            waits_for_start(engine.paths, record) and not run.init and not started_at(engine.paths, record)
        )
        return Exit(UNKNOWN_CODE, "", now()) if half_made else None
    if processes.conmon:
        exit_ = _wait_for_exit_file(engine, record, processes.conmon)
        if exit_ is not None:
            return exit_
        signal_process(processes.conmon, signal.SIGKILL)
    alive = processes.conmon or processes.init
    ended = now() if alive else last_sign_of_life(engine.paths, record)
    return Exit(UNKNOWN_CODE, started_at(engine.paths, record), ended, error=CONMON_KILLED)


def _wait_for_exit_file(engine: Engine, record: ContainerRecord, conmon: ProcessIdentity) -> Exit | None:
    """conmon lives without its container: it is writing the exit file, unless it never had a container."""
    if not started_at(engine.paths, record):
        return None
    deadline = time.monotonic() + _EXIT_FILE_TIMEOUT
    while time.monotonic() < deadline:
        gone = wait_until_gone(conmon, 0.01)
        exit_ = read_exit(engine.paths, record)
        if exit_ is not None or gone:
            return exit_
    return None


def _uptime(init: ProcessIdentity | None) -> float:
    """Seconds since the container's init was made, by a clock that nobody sets: since boot, as its start
    time.
    """
    if init is None:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - init.start_time / os.sysconf("SC_CLK_TCK")


def run_is_prepared(engine: Engine, record: ContainerRecord) -> bool:
    """Is there a run, settled before, that only waits to be let go?"""
    return record.state.run is not None and waits_for_start(engine.paths, record)
