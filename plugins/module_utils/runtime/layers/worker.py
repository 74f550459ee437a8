# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Unpacking in other processes: several layers at a time, each confined to its own directory.

    caller ── write(compressed) ──> pipe ──> child: inflate, hash, unpack   (one for each layer)
       └──── request, pipes ────> fork server ── forks ──┘

The fork server exists because a process with threads must not fork, and because a child shall die when its
parent does (the kernel means the parent's *thread*). Make the pool before any thread, in the thread that
outlives it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import threading
import typing as t

from .. import errors
from ..errors import CoracleError, IntegrityError, RuntimeFailure
from ..linux import syscalls
from ..linux.trees import remove_tree
from .child import Request, serve
from .demands import Demands
from .extract import Extracted
from .limits import DEFAULT, Limits
from .store import StagedLayer, count_tree

_PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031  # linux/fcntl.h; fcntl.F_SETPIPE_SZ only since Python 3.10
_READ = 1 << 16


class ExtractionPool:
    """A context manager around the fork server. `start` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self._server = os.fork()
        if self._server == 0:
            try:
                serve(theirs, parent)
            finally:
                os._exit(0)
        theirs.close()
        self._channel = ours

    def start(
        self,
        staged: StagedLayer,
        compression: str,
        limits: Limits = DEFAULT,
        *,
        layered: bool = True,
        lower: t.Sequence[str] = (),
    ) -> ExtractionWorker:
        """Begin to unpack into `staged`. `lower` (top first), with `layered` false: unpack over these
        directories.
        """
        request = Request(staged.directory, compression, limits, layered, list(lower))
        with contextlib.ExitStack() as stack:
            data, give = _pipe(stack)
            take, report = _pipe(stack)
            with contextlib.suppress(OSError):
                fcntl.fcntl(give, _F_SETPIPE_SZ, _PIPE_SIZE)
            pidfd = self._ask(request, [data, report])
            stack.pop_all()
            os.close(data)
            os.close(report)
        return ExtractionWorker(staged, give, take, pidfd, layered)

    def _ask(self, request: Request, pipes: list[int]) -> int:
        with self._lock:
            try:
                socket.send_fds(self._channel, [request.encode()], pipes)
                _answer, descriptors, _flags, _address = socket.recv_fds(self._channel, 16, 1)
            except (BrokenPipeError, ConnectionResetError):
                descriptors = []
        if not descriptors:
            raise RuntimeFailure(
                "the process that unpacks layers is gone", "look for an out-of-memory kill in the kernel log"
            )
        return descriptors[0]

    def close(self) -> None:
        if self._server:
            self._channel.close()
            os.waitpid(self._server, 0)
            self._server = 0

    def __enter__(self) -> ExtractionPool:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _pipe(stack: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    return ends


class ExtractionWorker:
    """One layer being unpacked. By every way out (`finish`, `abort`, any error) the child has ended."""

    def __init__(self, staged: StagedLayer, give: int, take: int, pidfd: int, layered: bool) -> None:
        self._staged = staged
        self._give = give
        self._take = take
        self._pidfd = pidfd
        self._layered = layered

    def write(self, data: bytes | memoryview) -> None:
        """Hand over the next compressed bytes; waits while the child is busy. Raises what made the child give
        up.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._give, view) :]
        except BrokenPipeError:
            self._result()
            raise IntegrityError("the layer ended before its data did") from None

    def finish(self) -> Extracted:
        """No more data: wait for the child. The diff id is right and `staged.extracted` is set when this
        returns.
        """
        extracted = self._result()
        if extracted.diff_id != self._staged.diff_id:
            raise IntegrityError(
                f"the layer has the diff id {extracted.diff_id}, {self._staged.diff_id} was announced"
            )
        if not self._layered:
            for part in ("merged", "work"):
                remove_tree(os.path.join(self._staged.directory, part))
            entries, size = count_tree(self._staged.diff)
            extracted = extracted._replace(entries=entries, bytes=size, demands=Demands())
        self._staged.extracted = extracted
        return extracted

    def abort(self) -> None:
        """End the child, if it still runs, and wait until it is gone."""
        if self._pidfd < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            syscalls.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._close()

    def _result(self) -> Extracted:
        try:
            os.close(self._give)
            self._give = -1
            report = b"".join(iter(lambda: os.read(self._take, _READ), b""))
        except BaseException:
            self.abort()
            raise
        self._close()
        if not report:
            raise RuntimeFailure(
                "the process that unpacked the layer was killed",
                "look for an out-of-memory kill in the kernel log",
            )
        answer = json.loads(report)
        if "error" in answer:
            raise _rebuilt(answer["error"])
        extracted = answer["extracted"]
        return Extracted(**{**extracted, "demands": Demands.from_json(extracted["demands"])})

    def _close(self) -> None:
        """A pidfd is readable once its process has ended: nobody writes to the layer after this."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll()
        for fd in (self._give, self._take, self._pidfd):
            if fd >= 0:
                os.close(fd)
        self._give = self._take = self._pidfd = -1


def _rebuilt(report: dict[str, t.Any]) -> CoracleError:
    kind: type[CoracleError] = getattr(errors, report["kind"], CoracleError)
    return kind(report["message"], report["hint"], **report["facts"])
