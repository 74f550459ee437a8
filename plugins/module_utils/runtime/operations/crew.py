# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Jobs in processes of their own, a few at a time: each has an engine for itself, and none holds up another.

A process is forked for each job, so that what the caller has imported and read is there at once. No
connection to the state file may be carried over a fork (sqlite.org/howtocorrupt.html): close the engine
before the first job, and let each job open its own. Whoever is killed takes the crew with him; everything
that a job does is safe against that.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import typing as t

from .. import errors
from ..errors import CoracleError, from_os_error
from ..linux import syscalls

Job = t.Callable[[], dict[str, t.Any]]

_CHUNK = 1 << 16


class Crew:
    """`size` jobs at once. Use as a context manager: leaving it waits for those under way."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pipes: dict[int, tuple[str, int, bytearray]] = {}

    @property
    def busy(self) -> bool:
        return bool(self._pipes)

    @property
    def full(self) -> bool:
        return len(self._pipes) >= self._size

    def begin(self, name: str, job: Job) -> None:
        """Fork, and let the new process do the job; what it returns has to be JSON."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _work(job, writing, parent)
        os.close(writing)
        self._pipes[reading] = (name, pid, bytearray())

    def next(self) -> tuple[str, dict[str, t.Any] | CoracleError]:
        """Wait for the next job that ends: its name, and what it returned or the error that it met."""
        while True:
            ready, _writable, _odd = select.select(list(self._pipes), [], [])
            for fd in ready:
                piece = os.read(fd, _CHUNK)
                name, pid, content = self._pipes[fd]
                content += piece
                if not piece:
                    os.close(fd)
                    del self._pipes[fd]
                    return name, _answer(pid, bytes(content))

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_error: object) -> None:
        while self.busy:
            self.next()


def _work(job: Job, writing: int, parent: int) -> t.NoReturn:
    gc.disable()  # what the parent left behind is not ours to finalise
    code = 0
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        answer: dict[str, t.Any] = {"result": job()}
    except CoracleError as error:
        answer = _told(error)
    except OSError as error:
        answer = _told(from_os_error(error))
    except BaseException:
        import traceback

        answer, code = {"defect": traceback.format_exc()}, 1
    try:
        _write(writing, json.dumps(answer, default=str).encode())
    finally:
        os._exit(code)


def _told(error: CoracleError) -> dict[str, t.Any]:
    return {
        "error": {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "facts": error.facts,
        }
    }


def _write(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _answer(pid: int, content: bytes) -> dict[str, t.Any] | CoracleError:
    _pid, status = os.waitpid(pid, 0)
    try:
        answer = json.loads(content)
    except ValueError:
        return CoracleError(f"the process that was at work ended with status {status}", "run the task again")
    if "defect" in answer:
        raise RuntimeError(answer["defect"])
    if "error" in answer:
        told = answer["error"]
        kind = getattr(errors, told["kind"]) if told["kind"] != "CleanupFailed" else CoracleError
        error: CoracleError = kind(told["message"], told["hint"], **told["facts"])
        return error
    result: dict[str, t.Any] = answer["result"]
    return result
