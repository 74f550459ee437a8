# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The processes that unpack: a server forked while the caller has one thread, and a child of it for each
layer.

They close every descriptor they are not given, die with the process that forked them, and leave by
`os._exit`. A child reports once, as JSON: what it extracted, or the error it met.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import signal
import socket
import typing as t

from .. import errors
from ..errors import CoracleError
from ..linux import syscalls
from . import confine
from .decompress import decompressor
from .extract import Extracted, extract_layer
from .limits import Limits
from .stream import HashedStream

REQUEST_LIMIT = 1 << 17
_OOM_SCORE = b"500"  # when memory runs out, an extraction is what the host can best do without


class Request(t.NamedTuple):
    """`directory`: the staged layer. `lower`: directories below, top first, when it is unpacked over them."""

    directory: str
    compression: str
    limits: Limits
    layered: bool
    lower: list[str]

    def encode(self) -> bytes:
        return json.dumps(self).encode()

    @classmethod
    def decode(cls, message: bytes) -> Request:
        directory, compression, limits, layered, lower = json.loads(message)
        return cls(directory, compression, Limits(*limits), layered, lower)


def serve(channel: socket.socket, parent: int) -> None:
    """Fork a child for each request (a message, with the data pipe and the report pipe) and answer with its
    pidfd.
    """
    _belong_to(parent)
    gc.disable()  # what the caller left behind must not be finalised here: it would close our descriptors
    _keep_only(channel.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what Ctrl-C means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        message, pipes, _flags, _address = socket.recv_fds(channel, REQUEST_LIMIT, 2)
        if not message:
            break
        _reap()
        with _closing(pipes):
            server = os.getpid()
            pid = os.fork()
            if pid == 0:
                _extract(Request.decode(message), pipes, server)
            pidfd = syscalls.pidfd_open(pid)
        with _closing([pidfd]):
            socket.send_fds(channel, [b"1"], [pidfd])
    _reap()


def _belong_to(parent: int) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _keep_only(*kept: int) -> None:
    """Close all other descriptors; standard input, output and error become /dev/null."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        if fd not in kept:
            os.dup2(null, fd)
    if null > 2:
        os.close(null)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@contextlib.contextmanager
def _closing(descriptors: t.Iterable[int]) -> t.Iterator[None]:
    try:
        yield
    finally:
        for fd in descriptors:
            os.close(fd)


def _extract(request: Request, pipes: list[int], server: int) -> t.NoReturn:
    data, report = pipes
    try:
        _belong_to(server)
        _keep_only(data, report)
        answer: dict[str, t.Any] = {"extracted": _described(_unpack(request, data))}
    except BaseException as error:
        answer = {"error": _explained(error)}
    os.close(data)
    with contextlib.suppress(OSError):
        _send(report, json.dumps(answer).encode())
    os._exit(0)


def _unpack(request: Request, data: int) -> Extracted:
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(_OOM_SCORE)
    chunks = decompressor(request.compression, functools.partial(os.read, data), request.limits)
    stream = HashedStream(chunks)
    confine.limit_resources(request.limits)
    root = confine.enter(request.directory, request.lower)
    return extract_layer(stream, root, request.limits, layered=request.layered)


def _described(extracted: Extracted) -> dict[str, t.Any]:
    return {**extracted._asdict(), "demands": extracted.demands.to_json()}


def _explained(error: BaseException) -> dict[str, t.Any]:
    if isinstance(error, OSError):
        error = errors.from_os_error(error)
    if isinstance(error, MemoryError):
        error = errors.IntegrityError("the layer needs more memory than is allowed")
    if isinstance(error, CoracleError):
        facts = {name: value for name, value in error.facts.items() if isinstance(value, (str, int))}
        kind = next(one.__name__ for one in type(error).__mro__ if one.__module__ == errors.__name__)
        return {"kind": kind, "message": error.message, "hint": error.hint, "facts": facts}
    return {"kind": "CoracleError", "message": f"{type(error).__name__}: {error}", "hint": "", "facts": {}}


def _send(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
