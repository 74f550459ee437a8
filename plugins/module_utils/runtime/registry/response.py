# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An answer: status, headers, and a body that is read once, never further than the reader wants."""

from __future__ import annotations

import contextlib
import typing as t

from .chunks import ChunkedBody
from .connection import Connection
from .origins import Url

if t.TYPE_CHECKING:
    import http.client

_BUFFER = 1 << 16
_DISCARDABLE = 1 << 16


class TooLarge(Exception):
    """An answer is larger than anything it could rightly be."""


class Response:
    """Closing it gives the connection back if the body was read to its end, and closes the connection if
    not.
    """

    def __init__(
        self,
        url: Url,
        response: http.client.HTTPResponse,
        connection: Connection,
        release: t.Callable[[Connection], None],
    ) -> None:
        self.url = url
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._chunks: ChunkedBody | None = None
        if response.chunked and response.length is None:
            self._chunks = ChunkedBody(t.cast(t.BinaryIO, response.fp))
        self._connection: Connection | None = connection
        self._release = release

    def header(self, name: str) -> str:
        """The value of a header, or empty."""
        return self.headers.get(name) or ""

    @property
    def length(self) -> int | None:
        """Bytes of the body still to come, where the server has said so."""
        return self._response.length

    def readinto(self, view: memoryview) -> int:
        """Up to `len(view)` bytes, as they come; 0 at the end, also at an early one."""
        return self._chunks.readinto(view) if self._chunks else self._response.readinto(view)

    def read_all(self, limit: int) -> bytes:
        """The whole body. Raises `TooLarge` beyond `limit` bytes, `ConnectionError` when it ends early."""
        if (self.length or 0) > limit:
            raise TooLarge(f"more than {limit} bytes")
        body, buffer = bytearray(), memoryview(bytearray(_BUFFER))
        while True:
            count = self.readinto(buffer)
            body += buffer[:count]
            if len(body) > limit:
                raise TooLarge(f"more than {limit} bytes")
            if count == 0:
                break
        if self.length:
            raise ConnectionError("the connection was closed in the middle of the answer")
        return bytes(body)

    def is_at_end(self) -> bool:
        """Whether nothing follows; waits for the end of an answer that has no length."""
        if self._is_complete:
            return True
        self.hurry()
        return self.readinto(memoryview(bytearray(1))) == 0

    def hurry(self) -> None:
        """Give the rest of the body a short time to come."""
        if self._connection:
            self._connection.hurry()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        reusable = self._is_complete and not self._response.will_close
        self._response.close()
        if reusable:
            self._release(connection)
        else:
            connection.close()

    def discard(self) -> None:
        """Close, after reading a short rest of the body, so that the connection can be used again."""
        if self.length is not None and self.length <= _DISCARDABLE:
            self.hurry()
            with contextlib.suppress(OSError):
                self.read_all(_DISCARDABLE)
        self.close()

    @property
    def _is_complete(self) -> bool:
        return self._chunks.at_end if self._chunks else self._response.isclosed() or self.length == 0
