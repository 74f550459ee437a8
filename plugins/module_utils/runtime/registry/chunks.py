# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`Transfer-Encoding: chunked` (RFC 9112, 7.1), with the bounds that `http.client` does not have.

4\\r\\n        size in hexadecimal, perhaps ";extension"
data\\r\\n     … and so on, until a chunk of size 0,
0\\r\\n\\r\\n   after which a trailer of header lines may follow; it is skipped
"""

from __future__ import annotations

import re
import typing as t

_MAX_LINE = 256
_MAX_TRAILER = 32


class ChunkedBody:
    """The content of a chunked body. Malformed, endless and cut ones raise `ValueError` or
    `ConnectionError`.
    """

    def __init__(self, stream: t.BinaryIO) -> None:
        """`stream` is at the first byte of the body; its `readinto` may bring less than asked for."""
        self._stream = stream
        self._left = 0
        self._begun = False
        self.at_end = False

    def readinto(self, view: memoryview) -> int:
        """Up to `len(view)` bytes, from one chunk; 0 at the end."""
        if not self._left and not self.at_end:
            self._next_chunk()
        if self.at_end:
            return 0
        count: int = self._stream.readinto(view[: self._left])  # type: ignore[attr-defined]
        if count == 0:
            raise ConnectionError("the connection was closed in the middle of a chunk")
        self._left -= count
        return count

    def _next_chunk(self) -> None:
        if self._begun and self._line() != b"":
            raise ValueError("a chunk is longer than it says")
        self._begun = True
        match = re.fullmatch(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?", self._line(), re.DOTALL)
        if not match:
            raise ValueError("the size of a chunk is not a number")
        self._left = int(match[1], 16)
        if self._left == 0:
            self._skip_trailer()
            self.at_end = True

    def _skip_trailer(self) -> None:
        for _line in range(_MAX_TRAILER):
            if self._line() == b"":
                return
        raise ValueError("the trailer does not end")

    def _line(self) -> bytes:
        line = self._stream.readline(_MAX_LINE)
        if not line.endswith(b"\n"):
            raise (
                ConnectionError("a chunk has no end")
                if len(line) < _MAX_LINE
                else ValueError("a line is too long")
            )
        return line.rstrip(b"\r\n")
