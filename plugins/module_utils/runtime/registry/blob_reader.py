# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A blob as one stream, however often its connection breaks.

After a cut the next request asks for the rest (`Range`, RFC 9110, 14.2). The answer is held to it: a 206 must
say in `Content-Range` that it begins where we stopped; a 200 sends everything again, and what we have is
skipped; anything else makes the reader ask for the whole. Bytes beyond the promised size are an
`IntegrityError`. Whether the bytes are the right ones only their digest tells: put a `VerifyingReader` around
this, or hash what you read.
"""

from __future__ import annotations

import re
import typing as t

from ..errors import IntegrityError
from .failures import Interrupted
from .patience import Patience
from .response import Response

_SKIP_CHUNK = 1 << 16
_SMALLEST_PROGRESS = 1 << 16
_STEPS = 256


class BlobReader:
    """`position` is the number of bytes of the blob that come before the next one read."""

    def __init__(
        self,
        open_at: t.Callable[[dict[str, str]], Response],
        explained: t.Callable[[], t.ContextManager[None]],
        patience: Patience,
        what: str,
        size: int,
        offset: int = 0,
    ) -> None:
        """`open_at(headers)` makes one attempt; `what` names the blob in errors."""
        self._open_at = open_at
        self._explained = explained
        self._patience = patience
        self._what = what
        self._size = size
        self._ranges = True
        self._response: Response | None = None
        self._closed = False
        self._mark = self.position = offset
        if offset < size:
            self._retrying(self._open)

    def read(self, amount: int = -1) -> bytes:
        """At most `amount` bytes, as they come; empty at the end."""
        buffer = bytearray(min(amount, 1 << 20) if amount >= 0 else 1 << 20)
        count = self.readinto(buffer)
        return bytes(memoryview(buffer)[:count])

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the beginning of `buffer` with what the next read of the socket brings; 0 at the end."""
        view = memoryview(buffer)[: self._size - self.position]
        return self._retrying(lambda: self._readinto(view)) if len(view) else 0

    def close(self) -> None:
        self._closed = True
        self._drop()

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _retrying(self, action: t.Callable[[], int]) -> int:
        while True:
            try:
                return action()
            except Interrupted as error:
                self._drop()
                if self._closed:
                    raise
                self._patience.wait(error, error.retry_after)

    def _readinto(self, view: memoryview) -> int:
        response = self._response or self._opened()
        with self._explained():
            count = response.readinto(view)
            if count == 0:
                raise ConnectionError(f"cut after {self.position} of {self._size} bytes of {self._what}")
            self.position += count
            if self.position == self._size:
                self._check_end(response)
        self._note_progress()
        return count

    def _note_progress(self) -> None:
        if self.position - self._mark >= max(_SMALLEST_PROGRESS, self._size // _STEPS):
            self._mark = self.position
            self._patience.progressed()

    def _check_end(self, response: Response) -> None:
        if not response.is_at_end():
            raise self._too_long()
        self._drop()

    def _open(self) -> int:
        self._opened()
        return 0

    def _opened(self) -> Response:
        """A response whose next byte is the one at `position`."""
        headers = {"Range": f"bytes={self.position}-"} if self.position and self._ranges else {}
        response = self._open_at(headers)
        try:
            with self._explained():
                self._adjust(response)
        except BaseException:
            response.close()
            raise
        self._response = response
        return response

    def _adjust(self, response: Response) -> None:
        if response.status == 206:
            if not self._is_right_range(response.header("Content-Range"), response.length):
                self._ranges = False
                raise ConnectionError(f"the registry sends another part of {self._what} than was asked for")
            return
        if response.length is not None and response.length != self._size:
            raise IntegrityError(
                f"{self._what} has {response.length} bytes in the registry, and {self._size} were promised"
            )
        self._skip(response)

    def _is_right_range(self, header: str, length: int | None) -> bool:
        match = re.fullmatch(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:([0-9]{1,19})|\*)", header.strip())
        if not match or not self._ranges or not self.position:
            return False
        first, last, total = int(match[1]), int(match[2]), int(match[3] or self._size)
        return (
            first == self.position
            and first <= last < total == self._size
            and length in (None, last - first + 1)
        )

    def _skip(self, response: Response) -> None:
        left, buffer = self.position, memoryview(bytearray(min(self.position, _SKIP_CHUNK)))
        while left:
            count = response.readinto(buffer[: min(left, _SKIP_CHUNK)])
            if count == 0:
                raise ConnectionError(f"cut before byte {self.position} of {self._what}")
            left -= count

    def _too_long(self) -> IntegrityError:
        return IntegrityError(f"{self._what} is longer than the {self._size} bytes promised")

    def _drop(self) -> None:
        response, self._response = self._response, None
        if response:
            response.close()
