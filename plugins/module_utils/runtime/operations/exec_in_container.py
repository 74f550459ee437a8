# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Run one more program in a container, within the same confinement.

Waited for, it is the runtime's child with pipes of ours. Detached, a conmon is its parent: it goes on when
we end, its output goes nowhere, and nothing is left when it or the container ends. Both belong to the
container's control group.

    <run directory>/exec/direct-<pid>-<start time>.<n>/   while we wait; removed by us, else by the next one
    <run directory>/exec/<session id>/                    container/conmon_exec.py
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import typing as t

from ..container.exec_process import ExecRequest, build_exec_process, init_process
from ..container.oci_runtime import NOT_EXECUTABLE, NOT_FOUND, find_runtime, message_from_log, shell_code
from ..container.status import group_of, run_directory
from ..errors import Conflict, CoracleError, NotFound, RuntimeFailure, TimedOut, doing
from ..linux.files import make_private_directory
from ..linux.processes import ProcessIdentity, identity, is_alive
from ..linux.programs import Completed, run
from ..linux.sessions import kill_session, members_of, session_of
from ..linux.trees import remove_tree
from .locked_container import locked_container
from .running_container import Running, running_container, seen_root
from .settle_run import runtime_of

if t.TYPE_CHECKING:
    from ..container.conmon_exec import Plan
    from ..engine import Engine
    from ..linux.terminal import Size

OUTPUT_LIMIT = 16 << 20
"""Bytes of each output that are kept; what comes after them is read and dropped."""

_EVER = float("inf")
_LATE = 124  # as timeout(1) has it
_LOG_LIMIT = 1 << 16


class ExecResult(t.NamedTuple):
    """`code` is 128 + n for signal n. `truncated`: there was more than the limit."""

    code: int
    stdout: bytes
    stderr: bytes
    truncated: bool


def exec_in_container(
    engine: Engine,
    name: str,
    request: ExecRequest,
    *,
    input: bytes | None = None,
    timeout: float | None = None,
    max_output: int = OUTPUT_LIMIT,
) -> ExecResult:
    """Run it to its end. A terminal has one output: `stdout`.

    After `timeout` seconds TimedOut, whose facts are a result too. Then, and whatever else ends this call,
    the program and all processes of its session are killed. Those that have made a session of their own, as
    daemons do, go on.

    NotFound (with `rc` 127) for a missing program or directory, and (126) for a user, RuntimeFailure (126)
    for a program that cannot be run, Conflict for a container that does not run.
    """
    if request.tty:
        from .exec_in_terminal import exec_in_terminal

        return exec_in_terminal(engine, name, request, input or b"", timeout, max_output)
    running = running_container(engine, name)
    with doing(f"exec in container {running.record.name}"), direct_exec(engine, running, request) as begun:
        try:
            completed = run(
                begun.command,
                input=input,
                timeout=_EVER if timeout is None else timeout,
                max_output=max_output,
                check=False,
                before_kill=lambda: kill_session(begun.cgroup, program_of(begun)),
                oom_score_adj=begun.oom_score_adj,
            )
        except TimedOut as error:
            so_far = error.partial
            raise late(request, timeout, so_far.stdout, so_far.stderr) from None
        return _result(begun, request, completed)


def late(request: ExecRequest, timeout: float | None, stdout: bytes, stderr: bytes) -> TimedOut:
    """With what the program had written."""
    return TimedOut(
        f"{request.arguments[0]} did not finish in {timeout or 0:g} s and was killed",
        rc=_LATE,
        stdout=stdout.decode("utf-8", "replace"),
        stderr=stderr.decode("utf-8", "replace"),
    )


class DirectExec(t.NamedTuple):
    """`command` runs the program as a child; `directory` is there as long. Runtimes let the program inherit
    `oom_score_adj`.
    """

    command: list[str]
    directory: str
    cgroup: str
    oom_score_adj: int


@contextlib.contextmanager
def direct_exec(engine: Engine, running: Running, request: ExecRequest) -> t.Iterator[DirectExec]:
    """A command line that runs the program. Whoever runs it kills its session if it has to end early."""
    _sweep(_place(engine, running))
    myself = identity(os.getpid())
    owner = f"{myself.pid}-{myself.start_time}" if myself else "0-0"
    directory = os.path.join(_place(engine, running), f"direct-{owner}.{os.urandom(4).hex()}")
    process = _write_process(engine, running, request, directory)
    runtime = find_runtime(engine.paths, runtime_of(engine, running.record))
    command = runtime.exec_command(running.record.id, directory)
    group = group_of(engine.paths, running.record)
    try:
        yield DirectExec(command, directory, group, process.get("oomScoreAdj", 0))
    finally:
        remove_tree(directory)


def exec_detached(engine: Engine, name: str, request: ExecRequest) -> str:
    """Start it and let it run; the id of the session. Errors as above."""
    from ..container.conmon_exec import launch_session

    running = running_container(engine, name)
    with (
        doing(f"exec in container {running.record.name}"),
        prepared_session(engine, running, request) as plan,
        failures_named(request),
    ):
        session, socket = launch_session(plan)
        session.close()
        socket.close()
        return plan.session_id


@contextlib.contextmanager
def prepared_session(
    engine: Engine, running: Running, request: ExecRequest, size: Size | None = None
) -> t.Iterator[Plan]:
    """What a conmon for the program is told, with the container's lock held: the end of the container finds
    the session, or the session finds that it has ended.
    """
    from ..container.conmon_exec import Plan
    from ..linux.programs import find_program

    with locked_container(engine, running.record.id):
        running = running_container(engine, running.record.id)
        session_id = os.urandom(32).hex()
        directory = os.path.join(_place(engine, running), session_id)
        plan = Plan(
            find_program(engine.conmon),
            find_runtime(engine.paths, runtime_of(engine, running.record)),
            running.record.id,
            session_id,
            directory,
            f"{engine.paths.cgroup_parent}/conmon",
            request.tty,
        )
        try:
            process = _write_process(engine, running, request, directory, size)
            os.mkdir(os.path.join(directory, "exit"), 0o700)
            yield plan
            _adjust_oom_score(group_of(engine.paths, running.record), plan, process.get("oomScoreAdj", 0))
        except BaseException:
            remove_tree(directory)
            raise


def _place(engine: Engine, running: Running) -> str:
    run_ = running.record.state.run
    if run_ is None:
        raise Conflict(f"container {running.record.name} is not running", "start it first")
    return os.path.join(run_directory(engine.paths, running.record.id, run_.nonce), "exec")


def _write_process(
    engine: Engine, running: Running, request: ExecRequest, directory: str, size: Size | None = None
) -> dict[str, t.Any]:
    init = init_process(engine.paths, running.record)
    with seen_root(running.init) as root_fd:
        process = build_exec_process(request, running.record, init, root_fd, _bounding, size)
    make_private_directory(directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(os.path.join(directory, "process.json"), flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(process, file)
    return process


def _bounding() -> t.Collection[str]:
    from ..container.host_facts import read_host_facts

    return read_host_facts().bounding


def _sweep(place: str) -> None:
    """Remove what those who were killed while they waited have left."""
    try:
        names = os.listdir(place)
    except FileNotFoundError:
        return
    for name in names:
        match = re.match(r"direct-(\d+)-(\d+)\.", name)
        if match and not is_alive(ProcessIdentity(int(match[1]), int(match[2]))):
            remove_tree(os.path.join(place, name))


# How it went


def _result(begun: DirectExec, request: ExecRequest, completed: Completed) -> ExecResult:
    problem = problem_of(begun)
    if problem is not None:
        text = problem or completed.stderr.decode("utf-8", "replace").strip()
        raise exec_failure(request, text or "the runtime ended without a word")
    if completed.returncode < 0:
        raise RuntimeFailure(f"the runtime was killed by signal {-completed.returncode}")
    return ExecResult(completed.returncode, completed.stdout, completed.stderr, completed.truncated)


def problem_of(begun: DirectExec) -> str | None:
    """Why the program has not begun, in the runtime's words; None: it has."""
    try:
        with open(os.path.join(begun.directory, "oci-log"), "rb") as file:
            text = message_from_log(file.read(_LOG_LIMIT))
    except FileNotFoundError:
        text = ""
    if program_of(begun) is None:
        return text
    return text if text.startswith("exec") else None


@contextlib.contextmanager
def failures_named(request: ExecRequest) -> t.Iterator[None]:
    try:
        yield
    except RuntimeFailure as error:
        raise exec_failure(request, error.message) from error


def exec_failure(request: ExecRequest, text: str) -> CoracleError:
    """The error for what a runtime said, with the exit code that a shell would give as `rc`."""
    program = request.arguments[0]
    if "chdir" in text:
        return NotFound(f"working directory: {text}", "choose a directory of the container", rc=NOT_FOUND)
    code = shell_code(text)
    if code == NOT_FOUND:
        return NotFound(f"the container has no program {program}", "give a program of the image", rc=code)
    about = f"{program} cannot be run: " if code else ""
    return RuntimeFailure(about + text, rc=NOT_EXECUTABLE)


# Its processes


def program_of(begun: DirectExec) -> int | None:
    """The PID of the program; None: it has not begun."""
    try:
        with open(os.path.join(begun.directory, "pid"), encoding="ascii") as file:
            return int(file.read(16))
    except (FileNotFoundError, ValueError):
        return None


def _adjust_oom_score(group: str, plan: Plan, value: int) -> None:
    """conmon gives every program 0, and runtimes leave it at that."""
    from ..container.conmon_exec import program_in

    program = program_in(plan.directory) if value else None
    if program is None:
        return
    for process in members_of(group, session_of(program.pid)):
        try:
            with open(f"/proc/{process.pid}/oom_score_adj", "w", encoding="ascii") as file:
                file.write(str(value))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
