# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Kill an operation at any system call that changes something, or make such a call fail: strace(1) does it,
without a hook in our code.

    operation = Operation(paths, verbs.pull, "127.0.0.1:5000/app:1")
    for point in sample(operation.survey(), 40):     a Point is "the 3rd fsync of a thread"
        attempt = operation.kill_at(point)           or operation.fail_at(point, "EIO")

The killed call itself does not happen. With `follow` threads and children are traced and counted each for
itself, and strace returns when the last of them has ended; without it only the first thread is touched, which
is what an operation needs that leaves a process behind (a conmon).

`trials.py` builds on this; most tests want that.
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import subprocess
import tempfile
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.faults import driver

# Names with ? are skipped where the architecture has no such call.
NAMING = (
    *("?rename", "?renameat", "renameat2", "?mkdir", "mkdirat", "?rmdir", "?unlink", "unlinkat"),
    *("?link", "linkat", "?symlink", "symlinkat", "?mknod", "mknodat"),
)
CONTENT = (
    "ftruncate",
    "pwrite64",
    "?chmod",
    "fchmod",
    "fchmodat",
    "fchownat",
    "fchown",
    "setxattr",
    "lsetxattr",
)
SYNCING = ("fsync", "fdatasync", "syncfs")
MOUNTING = ("mount", "umount2")
STARTING = ("?vfork", "clone", "?clone3", "write")  # processes, and what is written to their pipes
STATE_CHANGING = (*NAMING, *CONTENT, *SYNCING, *MOUNTING)

_PYTHON = "/usr/bin/python3"  # what targets have
_TIMEOUT = 120
_CALL = re.compile(r"(\d+) +(\w+)\(")


class Point(t.NamedTuple):
    """The `occurrence`-th (from 1) call of `syscall` in a thread."""

    syscall: str
    occurrence: int


class Attempt(t.NamedTuple):
    returncode: int
    output: str

    @property
    def done(self) -> bool:
        return self.returncode == 0

    @property
    def refused(self) -> bool:
        """Ended with a sentence of ours."""
        return self.returncode == driver.REFUSED

    @property
    def killed(self) -> bool:
        return self.returncode == -9


class Operation:
    """A verb, `verb(engine, *arguments)` of an importable module, to be run on the roots `paths`."""

    def __init__(
        self,
        paths: Paths,
        verb: t.Callable[..., t.Any],
        *arguments: t.Any,
        syscalls: t.Sequence[str] = STATE_CHANGING,
        follow: bool = True,
    ) -> None:
        self._command = [_PYTHON, "-I", "-B", driver.__file__, paths.root, paths.run_root]
        self._command += [f"{verb.__module__}:{verb.__name__}", *map(json.dumps, arguments)]
        self._syscalls = ",".join(syscalls)
        self._follow = follow

    def run(self) -> Attempt:
        """Undisturbed."""
        return self._run(self._command)

    def survey(self) -> list[Point]:
        """Run undisturbed and note every call, in the order of time; of threads that do the same, once."""
        with tempfile.TemporaryDirectory() as directory:
            log = pathlib.Path(directory) / "log"
            attempt = self._trace(log, [])
            assert attempt.done, attempt
            return _points(log.read_text(errors="replace"))

    def kill_at(self, point: Point) -> Attempt:
        return self._inject(point, "signal=KILL")

    def fail_at(self, point: Point, error: str) -> Attempt:
        """`error`: EIO, ENOSPC…: the call does nothing and returns that."""
        return self._inject(point, f"error={error}")

    def _inject(self, point: Point, what: str) -> Attempt:
        injection = f"inject={point.syscall}:{what}:when={point.occurrence}"
        return self._trace(pathlib.Path("/dev/null"), ["-e", injection])

    def _trace(self, log: pathlib.Path, injection: list[str]) -> Attempt:
        strace = ["strace", "-qq", "-e", "signal=none", "-o", str(log), "-e", f"trace={self._syscalls}"]
        strace += ["-f"] if self._follow else []
        return self._run([*strace, *injection, *self._command])

    @staticmethod
    def _run(command: list[str]) -> Attempt:
        ended = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            text=True,
            check=False,
        )
        return Attempt(ended.returncode, ended.stdout)


def _points(log: str) -> list[Point]:
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    points: dict[Point, None] = {}
    for line in log.splitlines():
        call = _CALL.match(line) or re.match(r"()(\w+)\(", line)
        if call:
            counts[call[1], call[2]] += 1
            points[Point(call[2], counts[call[1], call[2]])] = None
    return list(points)


def sample(points: t.Sequence[Point], limit: int) -> list[Point]:
    """At most `limit` of them, evenly spread over the time of the operation, first and last included.

    With FAULT_FACTOR=20 in the environment twenty times as many: for a night, or after a change of the order
    in which things are written.
    """
    limit *= int(os.environ.get("FAULT_FACTOR", "1"))
    if len(points) <= limit:
        return list(points)
    return [points[round(number * (len(points) - 1) / (limit - 1))] for number in range(limit)]
