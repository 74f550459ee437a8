# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files to copy that lie in a place: a file, or a directory with what is in it, in the order of names.

Devices and sockets are not files: they are left out and named in `left_out`; so are pipes, unless all is to
be kept.
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from ..errors import Conflict, IntegrityError, InvalidInput
from .attributes import kept_attributes
from .items import DIRECTORY, FILE, HARD_LINK, LINK, PIPE, UNFINISHED, Item, Pieces
from .place import Place, join, unreadable

_PIECE = 1 << 20


class TreeSource:
    """What is mounted in the tree belongs to it, but for what the place hides: there the directory is empty.

    `follow`: links are copied as what they lead to, inside the place; a link that leads nowhere stays
    one. `archive`: hard links, attributes and pipes count, and links are never followed below the top.
    """

    def __init__(self, place: Place, path: str, *, follow: bool = False, archive: bool = False) -> None:
        self.place = place
        self.path = path
        self.left_out: list[str] = []
        self._follow = follow and not archive
        self._archive = archive
        self._walked: list[Item] | None = None

    def items(self) -> t.Iterator[Item]:
        """What the first complete walk has found: later ones might find something else."""
        if self._walked is not None:
            yield from self._walked
            return
        walked = []
        for item in self._walk():
            walked.append(item)
            yield item
        self._walked = walked

    def _walk(self) -> t.Iterator[Item]:
        self.left_out = []
        known: dict[tuple[int, int], str] = {}
        pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
        while pending:
            path, above = pending.pop()
            found = self._look(path)
            if found is None:
                continue
            item = self._item(path, found, known)
            if item is None:
                continue
            yield item
            if item.kind == DIRECTORY:
                identity = (found.st_dev, found.st_ino)
                if identity in above:
                    raise InvalidInput(
                        f"{join(self.path, path)} of {self.place.name} is a link to a directory above it",
                        "do not follow links",
                    )
                below = f"{path}/" if path else ""
                pending += [(f"{below}{name}", (*above, identity)) for name in self._names(path)]

    def _names(self, path: str) -> list[str]:
        try:
            whole = join(self.path, path)
            fd = self.place.directory(whole)
            if path and self.place.is_hidden(fd):
                return []
            self.place.check_readable(whole, fd)
            names = (name for name in os.listdir(fd) if not name.startswith(UNFINISHED))
            return sorted(names, reverse=True)
        except (FileNotFoundError, NotADirectoryError):
            return []  # somebody has taken it away meanwhile

    def _look(self, path: str) -> os.stat_result | None:
        whole = join(self.path, path)
        if path and not self._follow:
            return self.place.look(whole)
        try:
            fd = self.place.open(whole, os.O_PATH | (0 if self._follow else os.O_NOFOLLOW))
        except OSError as error:
            found = self.place.look(whole)
            if found is None and not path:
                raise unreadable(error, whole, self.place) from error
            return found  # a link that leads nowhere
        try:
            self.place.check_readable(whole, fd)
            return os.fstat(fd)
        finally:
            os.close(fd)

    def _item(self, path: str, found: os.stat_result, known: dict[tuple[int, int], str]) -> Item | None:
        kind = _kind(found.st_mode)
        if kind is None or (kind == PIPE and not self._archive):
            if not path:
                raise InvalidInput(
                    f"{self.path} of {self.place.name} is no file", "files, directories and links are copied"
                )
            self.left_out.append(join(self.path, path))
            return None
        target = self._target(path) if kind == LINK else ""
        if self._archive and kind != DIRECTORY and found.st_nlink > 1:
            first = known.setdefault((found.st_dev, found.st_ino), path)
            if first != path:
                kind, target = HARD_LINK, first
        return Item(
            path,
            kind,
            stat.S_IMODE(found.st_mode),
            found.st_uid,
            found.st_gid,
            found.st_mtime_ns,
            found.st_size if kind == FILE else 0,
            target=target,
            xattrs=self._attributes(path) if self._archive and kind in (FILE, DIRECTORY) else {},
        )

    def _target(self, path: str) -> str:
        parent, _slash, name = join(self.path, path).rpartition("/")
        return os.readlink(name, dir_fd=self.place.directory(parent))

    def _attributes(self, path: str) -> dict[str, bytes]:
        fd = self.place.open(join(self.path, path), os.O_PATH | os.O_NOFOLLOW)
        try:
            return kept_attributes(fd)
        finally:
            os.close(fd)

    def content(self, item: Item) -> Pieces:
        path = join(self.path, item.path)
        fd = open_file(self.place, path, follow=self._follow or not item.path)
        try:
            yield from pieces(fd, item.size, path)
        finally:
            os.close(fd)


def open_file(place: Place, path: str, *, follow: bool = False) -> int:
    """A regular file for reading. Conflict if it is none (any more): a device is not even opened, for that
    is using it, and a pipe would wait.
    """
    found = place.open(path, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise Conflict(f"{path} of {place.name} is not a file any more", "run the task again")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(found)


def pieces(fd: int, size: int, name: str, start: int = 0) -> Pieces:
    """The bytes of an open file from `start` to `size`, without its holes."""
    at = start
    while at < size:
        start, end = _data(fd, at, size)
        while start < end:
            piece = os.pread(fd, min(_PIECE, end - start), start)
            if not piece:
                raise IntegrityError(f"{name} became shorter while it was read", "run the task again")
            yield start, piece
            start += len(piece)
        at = end


def _data(fd: int, at: int, size: int) -> tuple[int, int]:
    try:
        start = os.lseek(fd, at, os.SEEK_DATA)
        return min(start, size), min(os.lseek(fd, start, os.SEEK_HOLE), size)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole to the end
            return size, size
        if error.errno in (errno.EINVAL, errno.ENOTSUP):  # a file system that does not tell
            return at, size
        raise


def _kind(mode: int) -> str | None:
    kinds = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: LINK, stat.S_IFIFO: PIPE}
    return kinds.get(stat.S_IFMT(mode))
