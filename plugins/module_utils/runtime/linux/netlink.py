# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One netlink socket: requests and the kernel's answers. What they say is known by others.

Several requests go out together and are done in one system call, so that no signal gets between them.
Sources: netlink(7), linux/netlink.h.
"""

from __future__ import annotations

import os
import socket
import struct
import typing as t

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type

_SOL_NETLINK = 270
_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK = 10, 11, 12
_REQUEST, _MULTI, _ACK, _DUMP = 0x1, 0x2, 0x4, 0x300
_DUMP_INTERRUPTED = 0x10
_ACK_TLVS = 0x200
_ERROR, _DONE = 0x2, 0x3
_ERROR_TEXT = 1  # NLMSGERR_ATTR_MSG
_LONGEST = 1 << 16


class Request(t.NamedTuple):
    """`doing` begins the sentence of its failure; errnos in `fine` are none."""

    kind: int
    flags: int
    body: bytes
    doing: str = ""
    fine: tuple[int, ...] = ()


class _Interrupted(Exception):
    """Something changed during a dump: it may lack what was there all the time."""


class Netlink:
    """A socket of the network namespace that the thread is in when it makes it."""

    def __init__(self, protocol: int) -> None:
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        for option in (_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK):
            try:
                self._sock.setsockopt(_SOL_NETLINK, option, 1)
            except OSError:  # an older kernel: it says less
                pass
        self._sock.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._sock.close()

    def apply(self, *requests: Request) -> None:
        """Do all of them, in order; a failure does not keep the kernel from the next. OSError of the first
        that failed, with the kernel's own words where it has some.
        """
        first = self._sequence + 1
        self._sock.send(
            b"".join(self._message(request, _REQUEST | _ACK | request.flags) for request in requests)
        )
        failures: dict[int, OSError] = {}
        missing = len(requests)
        while missing:
            for kind, flags, sequence, body in self._receive():
                if kind != _ERROR or sequence < first:
                    continue
                missing -= 1
                request = requests[sequence - first]
                error = _error(body, flags, request.doing)
                if error is not None and error.errno not in request.fine:
                    failures[sequence] = error
        if failures:
            raise failures[min(failures)]

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """All objects of a kind, as messages with their headers."""
        while True:
            try:
                return self.get(Request(kind, _DUMP, body))
            except _Interrupted:
                continue

    def get(self, request: Request) -> list[bytes]:
        """The messages that answer one request, each with its header."""
        self._sock.send(self._message(request, _REQUEST | request.flags))
        found: list[bytes] = []
        interrupted = False
        while True:
            more = False
            for kind, flags, sequence, body in self._receive():
                if sequence != self._sequence:
                    continue
                interrupted = interrupted or bool(flags & _DUMP_INTERRUPTED)
                if kind == _DONE:
                    if interrupted:
                        raise _Interrupted
                    return found
                if kind == _ERROR:
                    error = _error(body, flags, request.doing)
                    if error is None:
                        return found
                    raise error
                found.append(_HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body)
                more = bool(flags & _MULTI)
            if found and not more:
                return found

    def _message(self, request: Request, flags: int) -> bytes:
        self._sequence += 1
        length = _HEADER.size + len(request.body)
        padding = bytes(-length % 4)
        return _HEADER.pack(length, request.kind, flags, self._sequence, 0) + request.body + padding

    def _receive(self) -> t.Iterator[tuple[int, int, int, bytes]]:
        data = self._sock.recv(_LONGEST)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, flags, sequence, _port = _HEADER.unpack_from(data, at)
            yield kind, flags, sequence, data[at + _HEADER.size : at + length]
            at += (length + 3) & ~3


def _error(body: bytes, flags: int, doing: str) -> OSError | None:
    """What an acknowledgement says; None if all is well."""
    code = -struct.unpack_from("=i", body)[0]
    if code == 0:
        return None
    text = _kernels_words(body) if flags & _ACK_TLVS else ""
    reason = f"{os.strerror(code)} ({text})" if text else os.strerror(code)
    return OSError(code, f"{doing}: {reason}" if doing else reason)


def _kernels_words(body: bytes) -> str:
    """The text among the attributes that follow the error code and the header of the request."""
    at = 4 + _HEADER.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if kind == _ERROR_TEXT:
            return body[at + _ATTRIBUTE.size : at + length].rstrip(b"\0").decode(errors="replace")
        at += max((length + 3) & ~3, _ATTRIBUTE.size)
    return ""
