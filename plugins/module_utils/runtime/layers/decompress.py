# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compressed layers as a stream of uncompressed chunks, within bounds of memory and of growth.

gzip is read by zlib in this process, member after member; zstd: see zstd.py.
"""

from __future__ import annotations

import functools
import typing as t
import zlib

from ..errors import IntegrityError
from .limits import Limits

Read = t.Callable[[int], bytes]  # at most so many bytes; b"" at the end

CHUNK_IN = 128 << 10
CHUNK_OUT = 1 << 20
_MEMBERS_FREE = 1000
_SMALL_MEMBER = 64
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


def compression_of(start: bytes) -> str:
    """The compression that the first bytes of a layer show."""
    for magic, name in _MAGIC:
        if start.startswith(magic):
            return name
    return "none"


def decompressor(compression: str, read: Read, limits: Limits) -> t.Iterator[bytes]:
    """What the compressed bytes mean, in chunks of about 1 MiB; nothing is read before the first is asked
    for.

    Every module and program that takes part is loaded, or running, when this returns: the caller may enter
    the layer then. Raises IntegrityError for damage, trailing garbage and bombs; HostNotReady where nothing
    can read zstd.
    """
    counted = _Counted(read)
    if compression == "none":
        return _plain(counted)
    if compression == "gzip":
        return _bounded(_gunzip(counted), counted, limits)
    if compression == "zstd":
        from .zstd import unzstd

        return _bounded(unzstd(counted), counted, limits)
    raise IntegrityError(f"layers compressed as {compression!r} are not supported")


class _Counted:
    def __init__(self, read: Read) -> None:
        self._read = read
        self.total = 0

    def __call__(self, amount: int) -> bytes:
        data = self._read(amount)
        self.total += len(data)
        return data


def _bounded(chunks: t.Iterator[bytes], source: _Counted, limits: Limits) -> t.Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limits.ratio_free and total > limits.ratio * source.total:
            raise IntegrityError(f"the layer is a bomb: {source.total} bytes grew to more than {total}")
        yield chunk


def _plain(read: Read) -> t.Iterator[bytes]:
    return iter(functools.partial(read, CHUNK_OUT), b"")


# gzip


def _gunzip(read: Read) -> t.Iterator[bytes]:
    """RFC 1952: any number of members. Zeros after the last one are padding, anything else is damage."""
    decoder = zlib.decompressobj(wbits=31)
    members, produced = 1, 0
    data = read(CHUNK_IN)
    try:
        while data:
            chunk = decoder.decompress(data, CHUNK_OUT)
            produced += len(chunk)
            if chunk:
                yield chunk
            data = decoder.unconsumed_tail
            if decoder.eof:
                data = _next_member(read, decoder.unused_data)
                if not data:
                    return
                decoder = zlib.decompressobj(wbits=31)
                members += 1
                if members > _MEMBERS_FREE and produced < members * _SMALL_MEMBER:
                    raise IntegrityError("the layer consists of tiny gzip members")
            data = data or read(CHUNK_IN)
    except zlib.error as error:
        raise IntegrityError(f"the layer is not valid gzip: {error}") from None
    raise IntegrityError("the layer is truncated within its gzip stream")


def _next_member(read: Read, rest: bytes) -> bytes:
    """What follows a member, without the padding; b"" at the end of the input."""
    rest = rest or read(CHUNK_IN)
    while rest and not rest.strip(b"\0"):
        rest = read(CHUNK_IN)
    return rest.lstrip(b"\0") if rest.startswith(b"\0") else rest
