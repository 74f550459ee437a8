# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files as one file, between controller and target: it is sent as such, whatever the number of files.

    content of one file after the other, holes as zeros
    the list    zlib of JSON: `items`, and `stored`: at which offset the content of which item begins
    its length  eight bytes, and a mark

The list says what is to be there, the contents are only of files that the other side has asked for: what is
the same everywhere is not sent. Nothing here needs Linux: a controller may be something else.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import typing as t
import zlib
from types import MappingProxyType

from ..errors import IntegrityError
from .items import Item, Pieces, hash_zeros

_MARK = b"coracle-parcel-1"
_TAIL = struct.Struct(">Q16s")
_LARGEST_LIST = 512 * 1024**2
_PIECE = 1 << 20
_HOLE = 1 << 16


# What action plugin and module say to each other: keys in the arguments, and in the result.
PARCEL = "coracle_parcel"
WANTED = "coracle_wanted"
IS_DIRECTORY = "coracle_is_directory"


class Parcel:
    """An open parcel: a Source. Descriptors are the caller's; content is checked against its digest as it is
    read. `contents`: another file has them, and `fd` only the list.
    """

    def __init__(self, fd: int, contents: int | None = None) -> None:
        self._fd = fd if contents is None else contents
        end = os.fstat(fd).st_size
        if end < _TAIL.size:
            raise IntegrityError("the parcel is truncated")
        length, mark = _TAIL.unpack(os.pread(fd, _TAIL.size, end - _TAIL.size))
        start = end - _TAIL.size - length
        if mark != _MARK or start < 0:
            raise IntegrityError("the parcel is truncated")
        document = _unpacked(_exactly(fd, start, length))
        self.facts: dict[str, t.Any] = document["facts"]
        self._items = [Item.from_json(values) for values in document["items"]]
        self._stored = {path: int(offset) for path, offset in document["stored"].items()}

    def items(self) -> t.Iterator[Item]:
        return iter(self._items)

    def has(self, item: Item) -> bool:
        """Is the content of this file in it?"""
        return item.path in self._stored

    def content(self, item: Item) -> Pieces:
        start = self._stored.get(item.path)
        if start is None:
            raise IntegrityError(f"the parcel has no content of {item.path or 'the file'}")
        found = hashlib.sha256()
        at = 0
        while at < item.size:
            piece = os.pread(self._fd, min(_PIECE, item.size - at), start + at)
            if not piece:
                raise IntegrityError("the parcel is truncated")
            found.update(piece)
            for offset in range(0, len(piece), _HOLE):
                part = piece[offset : offset + _HOLE]
                if part.count(0) != len(part):
                    yield at + offset, part
            at += len(piece)
        if item.digest and found.hexdigest() != item.digest:
            raise IntegrityError(f"{item.path or 'the file'} was changed while it was copied", "run it again")


class ParcelWriter:
    """Writes a parcel to an open, empty file: contents first, then `finish`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._stored: dict[str, int] = {}
        self._end = 0

    def add(self, item: Item, content: Pieces) -> Item:
        """The item with the digest of what was written."""
        found = hashlib.sha256()
        at = 0
        for offset, piece in content:
            hash_zeros(found, offset - at)
            found.update(piece)
            _write(self._fd, piece, self._end + offset)
            at = offset + len(piece)
        hash_zeros(found, item.size - at)
        self._stored[item.path] = self._end
        self._end += item.size
        return item._replace(digest=found.hexdigest())

    def finish(self, items: t.Iterable[Item], facts: t.Mapping[str, t.Any]) -> None:
        _write(self._fd, pack_list(items, facts, self._stored), self._end)


def pack_list(
    items: t.Iterable[Item], facts: t.Mapping[str, t.Any], stored: t.Mapping[str, int] = MappingProxyType({})
) -> bytes:
    """The end of a parcel, or, where another file has the contents, all of it."""
    document = {"facts": dict(facts), "items": [item.to_json() for item in items], "stored": dict(stored)}
    packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6)
    return packed + _TAIL.pack(len(packed), _MARK)


def _unpacked(packed: bytes) -> dict[str, t.Any]:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, _LARGEST_LIST)
        document = json.loads(text)
        if not {"facts", "items", "stored"} <= document.keys():
            raise ValueError("keys are missing")
    except (ValueError, AttributeError, zlib.error) as error:
        raise IntegrityError(f"the list of a parcel is malformed: {error}") from error
    return t.cast("dict[str, t.Any]", document)


def _exactly(fd: int, start: int, length: int) -> bytes:
    parts = []
    while length:
        part = os.pread(fd, min(length, _PIECE), start)
        if not part:
            raise IntegrityError("the parcel is truncated")
        parts.append(part)
        start, length = start + len(part), length - len(part)
    return b"".join(parts)


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written
