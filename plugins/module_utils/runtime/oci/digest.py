# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Digests, and a reader that hands out no last byte before the digest is right.

Only `sha256:` with 64 lower-case hex digits exists here (image-spec, descriptor.md, "Registered algorithms",
has `sha512` too: no registry in use serves it, and one algorithm means one path per content). A digest that
came through `parse_digest` is safe in a path and in a URL.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ..errors import CoracleError, IntegrityError

PREFIX = "sha256:"


class Readable(t.Protocol):
    """What `VerifyingReader` reads from."""

    def read(self, amount: int, /) -> bytes: ...


def is_digest(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch("sha256:[0-9a-f]{64}", text) is not None


def parse_digest(text: object, error: type[CoracleError] = IntegrityError) -> str:
    """`text` itself if it is a digest we know; otherwise `error`, which names what is wrong with it."""
    if isinstance(text, str) and is_digest(text):
        return text
    shown = repr(text[:100]) if isinstance(text, str) else f"a {type(text).__name__}"
    if (
        isinstance(text, str)
        and re.fullmatch("[a-z0-9+._-]+:[0-9a-fA-F]{32,}", text)
        and not text.startswith(PREFIX)
    ):
        raise error(f"digest {shown}: only sha256 digests are supported", "name it by its sha256 digest")
    raise error(f"{shown} is not a digest", "a digest is sha256: and 64 lower-case hexadecimal digits")


def hex_of(digest: str) -> str:
    """The 64 hexadecimal digits: the name of a blob file or a layer directory."""
    return parse_digest(digest)[len(PREFIX) :]


def sha256_digest(data: bytes | bytearray | memoryview) -> str:
    return PREFIX + hashlib.sha256(data).hexdigest()


class VerifyingReader:
    """Reads `raw` to its end and raises `IntegrityError` unless it has exactly `size` bytes with this
    `digest`.

    The check comes *before* the last bytes are handed out, so a caller that stops at the last byte it needs
    (a tar reader does) cannot forget it. `verified` says that the end was reached and everything was right.
    """

    def __init__(self, raw: t.Any, digest: str, size: int) -> None:
        """`raw` has `.read(n)` and perhaps `.readinto(buffer)` and `.close()`; this object owns it from now
        on.
        """
        self._raw = raw
        self._hash = hashlib.sha256()
        self._left = size
        self.digest = parse_digest(digest)
        self.size = size
        self.verified = False

    def read(self, amount: int = -1) -> bytes:
        """At most `amount` bytes (all that are left if negative); empty only at the verified end."""
        if amount == 0 or self.verified:
            return b""
        if amount < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        data: bytes = self._raw.read(min(amount, self._left) if self._left else 1)
        self._account(data, len(data))
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Like `read(len(buffer))` without a copy: the number of bytes put into `buffer`, 0 at the verified
        end.
        """
        view = memoryview(buffer)
        if len(view) == 0 or self.verified:
            return 0
        if not hasattr(self._raw, "readinto"):
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)
        wanted = view[: self._left] if self._left else view[:1]
        count: int = self._raw.readinto(wanted) or 0
        self._account(wanted[:count], count)
        return count

    def _account(self, data: bytes | memoryview, count: int) -> None:
        if count > self._left:
            raise IntegrityError(f"{self.digest} is longer than the {self.size} bytes promised")
        if count == 0 and self._left:
            got = self.size - self._left
            raise IntegrityError(f"{self.digest} ends after {got} of {self.size} bytes")
        self._hash.update(data)
        self._left -= count
        if self._left == 0:
            self._check_end(at_end=count == 0)

    def _check_end(self, at_end: bool) -> None:
        if not at_end and self._raw.read(1):
            raise IntegrityError(f"{self.digest} is longer than the {self.size} bytes promised")
        actual = PREFIX + self._hash.hexdigest()
        if actual != self.digest:
            raise IntegrityError(f"content does not match its digest: expected {self.digest}, got {actual}")
        self.verified = True

    def close(self) -> None:
        if hasattr(self._raw, "close"):
            self._raw.close()

    def __enter__(self) -> VerifyingReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
