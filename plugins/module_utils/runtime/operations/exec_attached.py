# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Run one more program in a container, with a person there.

With a terminal, a conmon holds it: the person may detach and the program goes on. Without one the runtime is
our child, and pipes of ours lie between the program and our own input and outputs: a descriptor of the host
never gets into a container.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import typing as t

from ..container.attached import Manner, SocketRemote, check_terminal, converse, show_size
from ..container.conmon_exec import launch_session, program_in
from ..container.detach_keys import DEFAULT_DETACH_KEYS, parse_detach_keys
from ..errors import doing
from ..linux import cgroups, relay, syscalls
from ..linux.processes import identity, signal_process, wait_until_gone
from ..linux.programs import filter_through
from ..linux.sessions import kill_session
from ..linux.terminal import OUR_STDIO, Stdio, window_size
from .exec_in_container import (
    DirectExec,
    direct_exec,
    exec_failure,
    failures_named,
    prepared_session,
    problem_of,
    program_of,
)
from .running_container import running_container

if t.TYPE_CHECKING:
    from ..container.exec_process import ExecRequest
    from ..engine import Engine

_CONMON_TIMEOUT = 5.0
_CHUNK = 1 << 16
_PAUSE = 0.001


def exec_attached(
    engine: Engine,
    name: str,
    request: ExecRequest,
    *,
    stdio: Stdio = OUR_STDIO,
    stdin: bool = False,
    detach_keys: str = DEFAULT_DETACH_KEYS,
) -> int | None:
    """The exit code of the program, 128 + n when signal n has ended us; None: the user has detached.

    Errors as of `exec_in_container`. Signals go to a program without a terminal. One with a terminal is hung
    up when we are ended.
    """
    manner = Manner(stdio, stdin, request.tty, parse_detach_keys(detach_keys))
    check_terminal(manner)
    if request.tty:
        return _in_terminal(engine, name, request, manner)
    running = running_container(engine, name)
    with doing(f"exec in container {running.record.name}"), direct_exec(engine, running, request) as begun:
        return _with_pipes(begun, request, manner)


# With a terminal


def _in_terminal(engine: Engine, name: str, request: ExecRequest, manner: Manner) -> int | None:
    size = window_size(manner.stdio.stdout) or window_size(manner.stdio.stdin)
    running = running_container(engine, name)
    with (
        doing(f"exec in container {running.record.name}"),
        prepared_session(engine, running, request, size) as plan,
        failures_named(request),
    ):
        session, socket = launch_session(plan)
    program = program_in(plan.directory)
    outcome = None
    with session, socket, SocketRemote(socket, program, takes_input=manner.stdin) as remote:
        try:
            show_size(plan.directory, manner.stdio)
            outcome = converse(remote, plan.directory, manner)
        finally:
            if program is not None and (outcome is None or outcome.kind == "left"):
                signal_process(program, signal.SIGHUP)
        if outcome.kind == "ended":
            code = session.exit_code()
            if session.conmon is not None:
                wait_until_gone(session.conmon, _CONMON_TIMEOUT)
            return code
    return None if outcome.kind == "detached" else 128 + outcome.signum


# With pipes


def _with_pipes(begun: DirectExec, request: ExecRequest, manner: Manner) -> int:
    process = filter_through(begun.command, begun.oom_score_adj)
    remote = _PipeRemote(process, begun)
    if not manner.stdin:
        remote.end_input()
    try:
        outcome = converse(remote, None, manner._replace(forward=remote.signal))
        if outcome.kind == "left":
            kill_session(begun.cgroup, program_of(begun))
            return 128 + outcome.signum
        code = process.wait()
    except BaseException:
        kill_session(begun.cgroup, program_of(begun))
        raise
    finally:
        remote.close()
    problem = problem_of(begun)
    if problem is not None:
        raise exec_failure(request, problem or "the runtime ended without a word")
    return code if code >= 0 else 128 - code


class _PipeRemote:
    """A runtime that runs the program as its child. If the program never begins, what comes on standard error
    is the runtime's own.
    """

    def __init__(self, process: subprocess.Popen[bytes], begun: DirectExec) -> None:
        self._process = process
        self._begun = begun
        self._runs = False
        self._pidfd = syscalls.pidfd_open(process.pid)
        self._inlet: t.IO[bytes] | None = process.stdin
        self._outlets = {relay.STDOUT: process.stdout, relay.STDERR: process.stderr}
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        self.ended = False
        self.end_sign = None

    @property
    def sources(self) -> t.Sequence[int]:
        open_pipes = [pipe.fileno() for pipe in self._outlets.values() if pipe is not None]
        return [] if self.ended else [*open_pipes, self._pidfd]

    @property
    def inlet(self) -> int | None:
        return self._inlet.fileno() if self._inlet is not None else None

    def receive(self, fd: int) -> t.Iterator[tuple[int, bytes]]:
        if fd == self._pidfd:
            self.ended = True
        for stream, pipe in self._outlets.items():
            while pipe is not None and (self.ended or fd == pipe.fileno()):
                try:
                    content = os.read(pipe.fileno(), _CHUNK)
                except BlockingIOError:
                    break
                if not content:
                    self.refuse(stream)
                    break
                if stream == relay.STDOUT or self._has_begun():
                    yield stream, content
                if not self.ended:
                    break

    def _has_begun(self) -> bool:
        """A program may write before the runtime, a moment later, has noted its pid: that is waited for."""
        over = False
        while not (self._runs or over):
            over = bool(select.select([self._pidfd], [], [], _PAUSE)[0])
            self._runs = program_of(self._begun) is not None
        return self._runs

    def signal(self, signum: int) -> None:
        """To the program, even if it has not begun yet."""
        pid = program_of(self._begun) if self._has_begun() else None
        program = identity(pid) if pid in cgroups.processes(self._begun.cgroup) else None
        if program is not None:
            signal_process(program, signum)

    def send(self, content: bytes) -> int:
        return os.write(self._inlet.fileno(), content) if self._inlet is not None else 0

    def end_input(self) -> None:
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None

    def refuse(self, stream: int) -> bool:
        pipe, self._outlets[stream] = self._outlets[stream], None
        if pipe is not None:
            pipe.close()
        return True

    def close(self) -> None:
        self.end_input()
        for stream in self._outlets:
            self.refuse(stream)
        os.close(self._pidfd)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
