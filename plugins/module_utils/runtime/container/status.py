# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a container is doing now: asked of the kernel and the exit file, never remembered and never guessed.

Reads only, takes no lock, and so may look while something changes; the order of the looks makes every
answer one that was true. conmon writes the exit file before it dies, so the file is looked for *after* both
processes were found dead.

    conmon   init    exit file
    -        -       there        exited, with its code; not folded into the record yet. While conmon waits
                                  for the exit handler and the policy wants it: restarting
    alive    alive   missing      created while the runtime's start fifo exists, then running or paused
    dead     alive   missing      running, unsupervised: the next task that writes ends it
    dead     dead    missing      exited 255: nobody saw the code

A run that was never let go (no `started` file in its run directory, no time in the record) has not
happened: the container is what it was before.
"""

from __future__ import annotations

import os
import time
import typing as t

from ..linux import cgroups
from ..linux.processes import ProcessIdentity, boot_id, identity, is_alive
from .records import REMOVING, ContainerRecord, Exit, Run, find_container
from .restart_policy import wants_restart

if t.TYPE_CHECKING:
    from ..paths import Paths
    from ..state.database import Database

UNKNOWN_CODE = 255
CONMON_KILLED = "conmon was killed"
HOST_RESTARTED = "the host was restarted"


class Surroundings(t.Protocol):
    """What an `Engine` offers to those who look."""

    @property
    def paths(self) -> Paths: ...

    @property
    def records(self) -> Database: ...


class Status(t.NamedTuple):
    """`status` is created, running, paused, restarting, exited, removing, or dead: its record is unreadable.

    Times are RFC 3339 or empty.
    """

    status: str
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    started_at: str = ""
    finished_at: str = ""
    error: str = ""

    @property
    def alive(self) -> bool:
        return self.status in ("running", "paused")

    @property
    def unsupervised(self) -> bool:
        """It runs, but nobody will see it end: `repair_container` is due."""
        return self.alive and self.error.startswith(CONMON_KILLED)


def observe(engine: Surroundings, record: ContainerRecord, at: cgroups.CgroupLayout | None = None) -> Status:
    """The status of the container of `record`; a record that went stale meanwhile is read again.

    Who looks at many gives the layout of the control groups: finding it out costs more than everything else.
    """
    status = _observe(engine.paths, record, at)
    if status is not None:
        return status
    fresh = find_container(engine.records, record.id)
    if fresh is None:
        return Status("removing")
    return _observe(engine.paths, fresh, at) or _unseen_end(engine.paths, fresh)


def is_restarting(record: ContainerRecord) -> bool:
    """Is a policy's restart decided, and the process that shall make it still there?"""
    restart = record.state.restart
    return restart is not None and restart.boot_id == boot_id() and is_alive(restart.process)


class Processes(t.NamedTuple):
    """The two processes of a run, None where dead or never begun."""

    conmon: ProcessIdentity | None
    init: ProcessIdentity | None


def living_processes(paths: Paths, record: ContainerRecord) -> Processes:
    """Which of a run's processes are alive.

    Where the record does not know them yet (whoever started them was killed before it could write), the pid
    files in the run directory are believed if the kernel agrees: conmon's command line names this run's
    directory, and the container's init is in this container's cgroup.
    """
    run = record.state.run
    if run is None or run.boot_id != boot_id():
        return Processes(None, None)
    conmon = run.conmon or _conmon_from_file(paths, record.id, run)
    init = run.init or _init_from_file(paths, record.id, run)
    return Processes(*(process if process and is_alive(process) else None for process in (conmon, init)))


def read_exit(paths: Paths, record: ContainerRecord) -> Exit | None:
    """How the current run ended, by conmon's exit file (renamed into place, never half written), or None."""
    run = record.state.run
    if run is None or run.boot_id != boot_id():
        return None
    directory = run_directory(paths, record.id, run.nonce)
    path = os.path.join(directory, "exit", record.id)
    try:
        with open(path, encoding="ascii") as file:
            code = int(file.read(16))
            finished_ns = os.fstat(file.fileno()).st_mtime_ns
    except (FileNotFoundError, ValueError):
        return None
    oom_killed = os.path.exists(os.path.join(directory, "persist", "oom"))
    return Exit(code, started_at(paths, record), rfc3339(finished_ns), oom_killed)


def run_directory(paths: Paths, container_id: str, nonce: str) -> str:
    return os.path.join(paths.container_run(container_id), nonce)


def was_let_go(paths: Paths, record: ContainerRecord) -> bool:
    """Was the program of the current run told to begin?"""
    return started_at(paths, record) != ""


def started_at(paths: Paths, record: ContainerRecord) -> str:
    """When the program began: from the record, else the time of the run's `started` file, else empty."""
    run = record.state.run
    if run is None or run.started_at:
        return run.started_at if run else ""
    try:
        return rfc3339(os.stat(started_file(paths, record.id, run.nonce)).st_mtime_ns)
    except FileNotFoundError:
        return ""


def last_sign_of_life(paths: Paths, record: ContainerRecord) -> str:
    """Of a run whose end nobody saw: its last output, else its start. That is all that is certain."""
    log = os.path.join(paths.container(record.id), "ctr.log")
    try:
        return max(started_at(paths, record), rfc3339(os.stat(log).st_mtime_ns))
    except FileNotFoundError:
        return started_at(paths, record)


def waits_for_start(paths: Paths, record: ContainerRecord) -> bool:
    """Is the program of the current run yet to begin? Until it does, crun and runc keep `exec.fifo` in the
    container's state directory; it tells about the instant between the `started` file and the start.
    """
    run = record.state.run
    if run is None or run.started_at:
        return False
    fifo = os.path.join(paths.oci_runtime, record.id, "exec.fifo")
    return not started_at(paths, record) or os.path.exists(fifo)


def started_file(paths: Paths, container_id: str, nonce: str) -> str:
    """Made right before `crun start`: from then on an exit is an exit of the program."""
    return os.path.join(run_directory(paths, container_id, nonce), "started")


def rfc3339(nanoseconds: int) -> str:
    """A file time as Docker prints it: `2026-11-24T03:32:19.123456789Z`."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def _observe(paths: Paths, record: ContainerRecord, at: cgroups.CgroupLayout | None) -> Status | None:
    """None: the run directory is gone, so the record in hand may be older than the one in the state file."""
    state = record.state
    if state.phase == REMOVING:
        return Status("removing")
    if state.run is None:
        return _at_rest(record)
    if state.run.boot_id != boot_id():
        return _after_restart_of_host(paths, record, state.run)
    processes = living_processes(paths, record)
    exit_ = read_exit(paths, record)
    if exit_ is not None:
        return _just_ended(record, processes, exit_)
    if processes.init is not None:
        return _living(paths, record, processes, at)
    if processes.conmon is not None:
        return _beginning_or_ending(paths, record)
    if not os.path.isdir(run_directory(paths, record.id, state.run.nonce)):
        return None
    return _unseen_end(paths, record)


def _just_ended(record: ContainerRecord, processes: Processes, exit_: Exit) -> Status:
    if not exit_.started_at:
        return _at_rest(record)
    goes_on = processes.conmon is not None and wants_restart(record.config, record.state, exit_)
    return _ended(exit_)._replace(status="restarting") if goes_on else _ended(exit_)


def _after_restart_of_host(paths: Paths, record: ContainerRecord, run: Run) -> Status:
    if not run.started_at:
        return _at_rest(record)
    ended = last_sign_of_life(paths, record)
    return _ended(Exit(UNKNOWN_CODE, run.started_at, ended, error=HOST_RESTARTED))


def _at_rest(record: ContainerRecord) -> Status:
    exit_ = record.state.exit
    if exit_ is None:
        return Status("created", error=record.state.error)
    ended = _ended(exit_, record.state.error)
    return ended._replace(status="restarting") if is_restarting(record) else ended


def _living(
    paths: Paths, record: ContainerRecord, processes: Processes, at: cgroups.CgroupLayout | None
) -> Status:
    if waits_for_start(paths, record):
        return _at_rest(record)
    frozen = cgroups.is_frozen(group_of(paths, record), at)
    last = record.state.exit
    return Status(
        "paused" if frozen else "running",
        pid=processes.init.pid if processes.init else 0,
        started_at=started_at(paths, record),
        finished_at=last.finished_at if last else "",
        error=""
        if processes.conmon
        else f"{CONMON_KILLED}: the next task that changes this container ends it",
    )


def _beginning_or_ending(paths: Paths, record: ContainerRecord) -> Status:
    """conmon without a container: the runtime is still making it, or conmon is writing down how it ended."""
    started = started_at(paths, record)
    return Status("running", started_at=started) if started else _at_rest(record)


def _unseen_end(paths: Paths, record: ContainerRecord) -> Status:
    started = started_at(paths, record)
    if not started:
        return _at_rest(record)
    return _ended(Exit(UNKNOWN_CODE, started, last_sign_of_life(paths, record), error=CONMON_KILLED))


def _ended(exit_: Exit, error: str = "") -> Status:
    return Status(
        "exited",
        exit_code=exit_.code,
        oom_killed=exit_.oom_killed,
        started_at=exit_.started_at,
        finished_at=exit_.finished_at,
        error=exit_.error or error,
    )


def cgroup_of(paths: Paths, container_id: str) -> str:
    """The cgroup of a container that asked for no other, relative to each hierarchy's mount point."""
    return f"{paths.cgroup_parent}/{container_id}"


def group_of(paths: Paths, record: ContainerRecord) -> str:
    """That of any container."""
    parent = record.config.cgroup_parent
    return f"{parent}/{record.id}" if parent else cgroup_of(paths, record.id)


def _conmon_from_file(paths: Paths, container_id: str, run: Run) -> ProcessIdentity | None:
    directory = run_directory(paths, container_id, run.nonce)
    found = _identity_from_file(os.path.join(directory, "conmon.pid"))
    return found if found and directory.encode() in _kernel_says(found, "cmdline") else None


def _init_from_file(paths: Paths, container_id: str, run: Run) -> ProcessIdentity | None:
    found = _identity_from_file(os.path.join(run_directory(paths, container_id, run.nonce), "pidfile"))
    mark = f"/{container_id}".encode()
    return found if found and mark in _kernel_says(found, "cgroup") else None


def processes_naming(directory: str, programs: t.Collection[str]) -> list[ProcessIdentity]:
    """Processes of these programs (base names) that were told about a directory on their command line."""
    wanted = directory.encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        process = identity(int(pid))
        words = _kernel_says(process, "cmdline").split(b"\0") if process else []
        if (
            process
            and os.fsdecode(os.path.basename(words[0])) in programs
            and any(wanted in word for word in words)
        ):
            found.append(process)
    return found


def _identity_from_file(path: str) -> ProcessIdentity | None:
    try:
        with open(path, encoding="ascii") as file:
            return identity(int(file.read(16)))
    except (FileNotFoundError, ValueError):
        return None


def _kernel_says(process: ProcessIdentity, name: str) -> bytes:
    try:
        with open(f"/proc/{process.pid}/{name}", "rb") as file:
            return file.read(1 << 16)
    except (FileNotFoundError, ProcessLookupError):
        return b""
