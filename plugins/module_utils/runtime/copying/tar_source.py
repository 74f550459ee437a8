# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A tar stream, plain or compressed by gzip or zstd, as something to copy: what it brings is put in place as
it comes, each file before the next one is read.

Devices are left out and named in `left_out`.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ..layers import headers
from ..layers.decompress import Read, compression_of, decompressor
from ..layers.limits import Limits
from ..layers.stream import HashedStream
from .compare import CONTENT, KIND, MODE, NEW, Change, Wishes, check_change
from .items import DIRECTORY, FILE, HARD_LINK, LINK, PIPE, Item, Pieces
from .modes import NEW_DIRECTORY
from .place import Place, join, split

_KINDS = {
    headers.REGULAR: FILE,
    headers.DIRECTORY: DIRECTORY,
    headers.SYMBOLIC_LINK: LINK,
    headers.HARD_LINK: HARD_LINK,
    headers.FIFO: PIPE,
}


class TarSource:
    """Can be read once. `read` gives at most so many bytes, none at the end."""

    def __init__(self, read: Read) -> None:
        self.left_out: list[str] = []
        self.total = 0
        start = _at_least(read, 4)

        def from_start(amount: int) -> bytes:
            nonlocal start
            piece, start = start[:amount], start[amount:]
            return piece or read(amount)

        chunks = decompressor(compression_of(start), from_start, Limits())
        self._stream = HashedStream(headers.known_for_a_tar(chunks))
        self._entry: headers.Entry | None = None
        self._directories: list[Item] | None = None

    def items(self) -> t.Iterator[Item]:
        """What comes; once all has come, the directories again."""
        if self._directories is not None:
            yield from self._directories
            return
        directories = []
        for entry in headers.read_entries(self._stream):
            self._entry = entry
            item = _item(entry)
            if item is None:
                self.left_out.append(os.fsdecode(entry.path))
            else:
                directories += [item] if item.kind == DIRECTORY else []
                yield item
            if self._entry is not None:  # nobody wanted the content
                self._stream.skip(entry.stored)
        self._directories = directories

    def content(self, item: Item) -> Pieces:
        """Of the item that came last."""
        entry, self._entry = self._entry, None
        if entry is None:
            return
        self.total += entry.size
        for offset, length in entry.segments or [(0, entry.stored)]:
            for piece in self._stream.pieces(length):
                yield offset, bytes(piece)
                offset += len(piece)

    def changes(self, place: Place, top: str, wishes: Wishes) -> t.Iterator[Change]:
        """Each is to be carried out before the next one is asked for. What is there is not compared."""
        for item in self.items():
            path = join(top, item.path)
            if not item.path:
                continue  # the directory that takes it up
            for missing in _missing(place, path):
                yield Change(missing, Item("", DIRECTORY, NEW_DIRECTORY), (NEW,), None, NEW_DIRECTORY, 0, 0)
            change = _change(place, path, item, wishes)
            check_change(change, place, wishes)
            yield change


def _at_least(read: Read, amount: int) -> bytes:
    start = b""
    while len(start) < amount:
        piece = read(amount - len(start))
        if not piece:
            break
        start += piece
    return start


def _item(entry: headers.Entry) -> Item | None:
    kind = _KINDS.get(entry.kind)
    if kind is None:
        return None
    target = os.fsdecode(entry.target)
    if kind == HARD_LINK:
        target = os.fsdecode(headers.clean(entry.target))
    return Item(
        os.fsdecode(entry.path),
        kind,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.mtime,
        entry.size,
        target=target,
        xattrs={os.fsdecode(name): value for name, value in entry.xattrs.items()},
    )


def _missing(place: Place, path: str) -> list[str]:
    missing: list[str] = []
    parent = split(path)[0]
    while parent and not place.is_directory(parent) and place.look(parent) is None:
        missing.insert(0, parent)
        parent = split(parent)[0]
    return missing


def _change(place: Place, path: str, item: Item, wishes: Wishes) -> Change:
    before = place.look(path)
    uid = item.uid if wishes.uid is None else wishes.uid
    gid = item.gid if wishes.gid is None else wishes.gid
    if before is None:
        what = NEW
    elif item.kind == DIRECTORY and place.is_directory(path):
        what, before = MODE, os.fstat(place.directory(path))
    elif item.kind == DIRECTORY or stat.S_ISDIR(before.st_mode):
        what = KIND
    else:
        what = CONTENT
    return Change(path, item, (what,), before, item.mode, uid, gid)
