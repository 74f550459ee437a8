# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An uncompressed layer on its way past: handed out in the pieces a tar reader needs, hashed to the last
byte.
"""

from __future__ import annotations

import hashlib
import typing as t

from ..errors import IntegrityError


class HashedStream:
    """Reads `chunks` (bytes of any size) once; every byte is hashed when its chunk arrives, wanted or not."""

    def __init__(self, chunks: t.Iterator[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()
        self._chunk = b""
        self._at = 0

    def block(self) -> bytes | None:
        """The next 512 bytes; None at the end of the stream. A part of a block is an IntegrityError."""
        end = self._at + 512
        if end <= len(self._chunk):
            block = self._chunk[self._at : end]
            self._at = end
            return block
        if self._at == len(self._chunk) and not self._refill():
            return None
        return self.take(512)

    def take(self, amount: int) -> bytes:
        """Exactly `amount` bytes, which the caller has bounded."""
        return b"".join(self.pieces(amount))

    def pieces(self, amount: int) -> t.Iterator[memoryview]:
        """Exactly `amount` bytes in pieces as they come, none copied. Raises IntegrityError when the stream
        ends first.
        """
        while amount:
            if self._at == len(self._chunk) and not self._refill():
                raise IntegrityError("the layer is truncated")
            piece = memoryview(self._chunk)[self._at : self._at + amount]
            self._at += len(piece)
            amount -= len(piece)
            yield piece

    def skip(self, amount: int) -> None:
        for _piece in self.pieces(amount):
            pass

    def skip_padding(self, amount: int) -> None:
        """As `skip`, but the stream may end here: `umoci insert` writes no padding after the last file."""
        while amount and (self._at < len(self._chunk) or self._refill()):
            step = min(amount, len(self._chunk) - self._at)
            self._at += step
            amount -= step

    def drain(self) -> str:
        """Read what is left and return the diff id: the digest of the whole uncompressed stream."""
        while self._refill():
            pass
        return "sha256:" + self._hash.hexdigest()

    def _refill(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                self._hash.update(chunk)
                self._chunk, self._at = chunk, 0
                return True
        return False
