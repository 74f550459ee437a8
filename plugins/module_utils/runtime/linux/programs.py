# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Programs: found, run to their end, or started for good.

They get a minimal environment (D12: nothing of the caller's leaks in), a session of their own, `/` as
directory, and no descriptor of ours but those named.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
import typing as t

from ..errors import HostNotReady, RuntimeFailure, TimedOut
from . import syscalls

MINIMAL_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C",
}
_HOST_ROLE = "the role coracle.engine.host installs what is needed"
_CHUNK = 1 << 16
_LONGEST_WAIT = 86400.0  # seconds of one look: epoll(7) counts milliseconds in 31 bits
_LAST_ROUNDS = 32  # of one chunk of each output: more than a pipe can hold
_ERROR_TEXT_LIMIT = 2000


class Completed(t.NamedTuple):
    """`returncode` is negative for a signal, as in `subprocess`; `truncated` when output beyond the limit was
    dropped.
    """

    returncode: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


def find_program(name: str, hint: str = _HOST_ROLE) -> str:
    """The absolute path of a host program, looked for in the directories of MINIMAL_ENVIRONMENT only."""
    if "/" in name:
        candidates = [name]
    else:
        candidates = [os.path.join(directory, name) for directory in MINIMAL_ENVIRONMENT["PATH"].split(":")]
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    problem = "is not a program on this host" if "/" in name else "is not installed"
    raise HostNotReady(f"{name} {problem}", hint, program=name)


def run(
    argv: t.Sequence[str],
    *,
    input: bytes | None = None,
    timeout: float = 60,
    env: t.Mapping[str, str] | None = None,
    pass_fds: t.Sequence[int] = (),
    cwd: str | None = None,
    max_output: int = 1 << 20,
    check: bool = True,
    name: str = "",
    before_kill: t.Callable[[], None] | None = None,
    oom_score_adj: int | None = None,
) -> Completed:
    """Run a program to its end in a session of its own; at most `max_output` bytes of each output are kept.

    Returns when the program itself has ended, also if its children keep the pipes. Raises TimedOut after
    `timeout` seconds (`partial` is a Completed), RuntimeFailure (`name: the program's error text`) for an
    exit code other than 0 unless `check` is false. Whatever is raised, the program and its process group are
    dead by then; `before_kill` is called while they still live. `oom_score_adj` is that of the program, where
    it is not ours.
    """
    name = name or os.path.basename(argv[0])
    stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
    with _oom_score_adj(oom_score_adj):
        pipe = subprocess.PIPE
        process = _popen(argv, env, pass_fds, cwd, stdin=stdin, stdout=pipe, stderr=pipe)
    try:
        with contextlib.closing(_Conversation(process, input or b"", max_output)) as talk:
            if not talk.finish(time.monotonic() + timeout):
                late = TimedOut(f"{name} did not finish in {timeout:g} s")
                late.partial = Completed(
                    -signal.SIGKILL, bytes(talk.stdout), bytes(talk.stderr), talk.truncated
                )
                raise late
    except BaseException:
        try:
            if before_kill is not None:
                before_kill()
        finally:
            _kill_group(process)
        raise
    completed = Completed(process.wait(), bytes(talk.stdout), bytes(talk.stderr), talk.truncated)
    if check and completed.returncode != 0:
        raise RuntimeFailure(f"{name}: {error_text(completed)}", returncode=completed.returncode)
    return completed


def spawn(
    argv: t.Sequence[str],
    *,
    env: t.Mapping[str, str] | None = None,
    pass_fds: t.Sequence[int] = (),
    cwd: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that outlives us: its own session, nothing of ours but `pass_fds`, no stdio."""
    null = subprocess.DEVNULL
    return _popen(argv, env, pass_fds, cwd, stdin=null, stdout=null, stderr=null)


def filter_through(argv: t.Sequence[str], oom_score_adj: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program that turns what the caller writes to its `stdin` into what it reads from `stdout`."""
    pipe = subprocess.PIPE
    with _oom_score_adj(oom_score_adj):
        return _popen(argv, None, (), None, stdin=pipe, stdout=pipe, stderr=pipe)


@contextlib.contextmanager
def _oom_score_adj(value: int | None) -> t.Iterator[None]:
    """Processes that are started in the block have it: it is inherited. Source: proc(5)."""
    with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
        before = int(file.read())
        if value is None or value == before:
            yield
            return
        os.pwrite(file.fileno(), str(value).encode(), 0)
        try:
            yield
        finally:
            os.pwrite(file.fileno(), str(before).encode(), 0)


def _popen(
    argv: t.Sequence[str],
    env: t.Mapping[str, str] | None,
    pass_fds: t.Sequence[int],
    cwd: str | None,
    *,
    stdin: int,
    stdout: int,
    stderr: int,
) -> subprocess.Popen[bytes]:
    program = find_program(argv[0])
    try:
        return subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
            [program, *argv[1:]],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=dict(MINIMAL_ENVIRONMENT if env is None else env),
            pass_fds=tuple(pass_fds),
            cwd=cwd or "/",
            start_new_session=True,
        )
    except OSError as error:
        raise RuntimeFailure(f"{program} cannot be started: {error.strerror}") from error


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Not yet reaped, so its PID, which is also its process group, cannot belong to anybody else."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def error_text(completed: Completed) -> str:
    """What a program said about its failure: the end of its error output in one line, or how it ended."""
    text = completed.stderr[-_ERROR_TEXT_LIMIT:].decode("utf-8", "replace")
    line = "; ".join(part.strip() for part in text.splitlines() if part.strip())
    if line:
        return "".join(char if char.isprintable() else "?" for char in line)
    if completed.returncode < 0:
        return f"killed by signal {-completed.returncode}"
    return f"exit code {completed.returncode}"


class _Conversation:
    """Feeds a child's input and collects its outputs, whichever is ready, until the child has ended."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes, limit: int) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.truncated = False
        self._pipes = [pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe is not None]
        self._unsent = memoryview(data)
        self._limit = limit
        self._pidfd = syscalls.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pidfd, selectors.EVENT_READ)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
        if process.stdin is not None:
            self._selector.register(process.stdin, selectors.EVENT_WRITE, self._send)
        self._selector.register(
            t.cast("t.IO[bytes]", process.stdout), selectors.EVENT_READ, self._keep(self.stdout)
        )
        self._selector.register(
            t.cast("t.IO[bytes]", process.stderr), selectors.EVENT_READ, self._keep(self.stderr)
        )

    def finish(self, deadline: float) -> bool:
        """Talk until the child ends; False when the deadline comes first."""
        while True:
            left = deadline - time.monotonic()
            ready = self._selector.select(min(max(0, left), _LONGEST_WAIT))
            if not ready and left <= _LONGEST_WAIT:
                return False
            self._act(ready)
            if any(key.fd == self._pidfd for key, _events in ready):
                self._fetch_rest()
                return True

    def close(self) -> None:
        self._selector.close()
        os.close(self._pidfd)
        for pipe in self._pipes:
            try:
                pipe.close()
            except OSError:
                pass  # unsent input of a child that did not want it

    def _fetch_rest(self) -> None:
        """The pipes still hold what the child wrote last. Bounded: its children may write for ever."""
        self._selector.unregister(self._pidfd)
        for _round in range(_LAST_ROUNDS):
            ready = self._selector.select(0)
            if not ready:
                return
            self._act(ready)

    def _act(self, ready: t.Iterable[tuple[selectors.SelectorKey, int]]) -> None:
        for key, _events in ready:
            if key.data is not None and not key.data(key.fd):
                self._selector.unregister(key.fileobj)
                t.cast("t.IO[bytes]", key.fileobj).close()

    def _send(self, fd: int) -> bool:
        """Write some input; False when all is sent or the child does not listen any more."""
        try:
            self._unsent = self._unsent[os.write(fd, self._unsent[:_CHUNK]) :]
        except BrokenPipeError:
            return False
        return bool(self._unsent)

    def _keep(self, kept: bytearray) -> t.Callable[[int], bool]:
        def receive(fd: int) -> bool:
            """Read some output and keep what is within the limit; False at its end."""
            piece = os.read(fd, _CHUNK)
            room = self._limit - len(kept)
            kept.extend(piece[:room])
            self.truncated |= len(piece) > room
            return bool(piece)

        return receive
