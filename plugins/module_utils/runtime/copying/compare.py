# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What differs between what is to be copied and what is there. Looks only; every refusal that can be foreseen
comes from here, so that a run in check mode says the same as a real one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from ..errors import Conflict
from .attributes import kept_attributes
from .items import DIRECTORY, FILE, HARD_LINK, LINK, PIPE, Item, Source, hash_zeros
from .modes import NEW_DIRECTORY, NEW_FILE, Mode
from .place import Place, join, split
from .tree_source import open_file, pieces

NEW, KIND, CONTENT, TARGET, MODE, OWNER, GROUP, TIME, ATTRIBUTES = (
    "new",
    "kind",
    "content",
    "target",
    "mode",
    "owner",
    "group",
    "time",
    "attributes",
)
WHOLE = frozenset((NEW, KIND, CONTENT, TARGET))
"""What needs a new file, and not only other metadata."""

_SECOND = 10**9  # not every file system keeps more of a time
_FORMATS = {FILE: stat.S_IFREG, DIRECTORY: stat.S_IFDIR, LINK: stat.S_IFLNK, PIPE: stat.S_IFIFO}


class Wishes(t.NamedTuple):
    """How it shall be. `uid` and `gid` None: what is there keeps its own, what is new belongs to root.

    `preserve`: modes of files are those of the source. `archive`: so are owners, times, attributes and hard
    links. `force` false: what is there stays. `replace_kind`: a directory may give way to something else,
    and the other way round. `in_place`: a file that cannot be replaced is written to.
    """

    mode: Mode | None = None
    directory_mode: Mode | None = None
    uid: int | None = None
    gid: int | None = None
    preserve: bool = False
    archive: bool = False
    force: bool = True
    replace_kind: bool = False
    in_place: bool = False
    backup: bool = False


class Change(t.NamedTuple):
    """Something at `path` of the place that is to be as `item`, with these numbers. `what` differs."""

    path: str
    item: Item
    what: tuple[str, ...]
    before: os.stat_result | None
    mode: int
    uid: int
    gid: int

    @property
    def is_whole(self) -> bool:
        return not WHOLE.isdisjoint(self.what)


def compare(
    source: Source, place: Place, top: str, wishes: Wishes, *, keeps_top: bool = False
) -> t.Iterator[Change]:
    """What has to change so that `top` of the place is what `source` has.

    `keeps_top`: the top is a directory that takes up the content of another one; if it is there, it stays as
    it is.
    """
    above = _missing_above(place, top)
    for missing in above:
        yield _new(missing, Item("", DIRECTORY, NEW_DIRECTORY), (NEW,), None, wishes)
    for item in source.items():
        change = _difference(item, source, place, top, wishes, keeps_top and not item.path)
        if change is not None:
            check_change(change, place, wishes)
            yield change


def _missing_above(place: Place, top: str) -> list[str]:
    """Directories above `top` that are not there, outermost first."""
    missing: list[str] = []
    parent = split(top)[0]
    while parent and not place.is_directory(parent):
        if place.look(parent) is not None:
            raise Conflict(f"{parent} of {place.name} is not a directory", "choose another destination")
        missing.insert(0, parent)
        parent = split(parent)[0]
    if missing:
        place.check_writable(missing[0], place.directory(parent))
    return missing


def _difference(
    item: Item, source: Source, place: Place, top: str, wishes: Wishes, keeps_top: bool
) -> Change | None:
    path = join(top, item.path)
    before = place.look(path)
    if before is None:
        return _new(path, item, (NEW,), None, wishes)
    if item.kind == DIRECTORY and stat.S_ISLNK(before.st_mode) and place.is_directory(path):
        before = os.fstat(place.directory(path))
    if keeps_top and item.kind == DIRECTORY and stat.S_ISDIR(before.st_mode):
        return None
    is_same_kind = stat.S_IFMT(before.st_mode) == _FORMATS.get(item.kind, stat.S_IFREG)
    if not wishes.force and not (item.kind == DIRECTORY and is_same_kind):
        return None
    if not is_same_kind:
        return _new(path, item, (KIND,), before, wishes)
    what = [*_body(item, source, place, top, path, before)]
    if item.kind == HARD_LINK:  # has the metadata of its first name
        return Change(path, item, tuple(what), before, 0, 0, 0) if what else None
    mode, uid, gid = _metadata(item, before, wishes)
    if item.kind != LINK and mode != stat.S_IMODE(before.st_mode):
        what.append(MODE)
    if uid != before.st_uid:
        what.append(OWNER)
    if gid != before.st_gid:
        what.append(GROUP)
    if wishes.archive:
        what += _kept(item, place, path, before)
    return Change(path, item, tuple(what), before, mode, uid, gid) if what else None


def _body(
    item: Item, source: Source, place: Place, top: str, path: str, before: os.stat_result
) -> t.Iterator[str]:
    if item.kind == FILE and not _has_content(item, source, place, path, before):
        yield CONTENT
    elif item.kind == LINK:
        parent, name = split(path)
        if os.readlink(name, dir_fd=place.directory(parent)) != item.target:
            yield TARGET
    elif item.kind == HARD_LINK:
        first = place.look(join(top, item.target))
        if first is None or not os.path.samestat(first, before):
            yield TARGET


def _has_content(item: Item, source: Source, place: Place, path: str, before: os.stat_result) -> bool:
    if before.st_size != item.size:
        return False
    fd = open_file(place, path)
    try:
        if item.digest:
            return digest_of(fd, item.size, path) == item.digest
        at = 0
        for offset, piece in source.content(item):
            if not _is_zero(fd, at, offset, path) or os.pread(fd, len(piece), offset) != piece:
                return False
            at = offset + len(piece)
        return _is_zero(fd, at, item.size, path)
    finally:
        os.close(fd)


def _is_zero(fd: int, start: int, end: int, path: str) -> bool:
    """What the source leaves out has to be zeros here, too."""
    return all(piece.count(0) == len(piece) for _offset, piece in pieces(fd, end, path, start))


def digest_of(fd: int, size: int, name: str) -> str:
    """SHA-256 of an open file, holes as zeros, in constant memory."""
    found = hashlib.sha256()
    hash_pieces(found, pieces(fd, size, name), size)
    return found.hexdigest()


def hash_pieces(found: t.Any, parts: t.Iterable[tuple[int, bytes]], size: int) -> None:
    at = 0
    for offset, piece in parts:
        hash_zeros(found, offset - at)
        found.update(piece)
        at = offset + len(piece)
    hash_zeros(found, size - at)


def _kept(item: Item, place: Place, path: str, before: os.stat_result) -> t.Iterator[str]:
    if before.st_mtime_ns // _SECOND != item.mtime // _SECOND:
        yield TIME
    if item.kind in (FILE, DIRECTORY):
        fd = place.open(path, os.O_PATH)
        try:
            if kept_attributes(fd) != dict(item.xattrs):
                yield ATTRIBUTES
        finally:
            os.close(fd)


def _new(
    path: str, item: Item, what: tuple[str, ...], before: os.stat_result | None, wishes: Wishes
) -> Change:
    return Change(path, item, what, before, *_metadata(item, None, wishes))


def _metadata(item: Item, before: os.stat_result | None, wishes: Wishes) -> tuple[int, int, int]:
    uid, gid = (before.st_uid, before.st_gid) if before else (0, 0)
    if wishes.archive:
        uid, gid = item.uid, item.gid
    uid = uid if wishes.uid is None else wishes.uid
    gid = gid if wishes.gid is None else wishes.gid
    return _mode(item, before, wishes), uid, gid


def _mode(item: Item, before: os.stat_result | None, wishes: Wishes) -> int:
    """Directories that are there keep theirs, unless all is to be as in the source."""
    is_directory = item.kind == DIRECTORY
    current = stat.S_IMODE(before.st_mode) if before else NEW_DIRECTORY if is_directory else NEW_FILE
    if wishes.archive or (wishes.preserve and not (is_directory and before)):
        current = item.mode
    if is_directory:
        wanted = wishes.directory_mode
        return wanted.applied(current, True) if wanted and before is None else current
    return wishes.mode.applied(current) if wishes.mode else current


def check_change(change: Change, place: Place, wishes: Wishes) -> None:
    """What the kernel would refuse, and what we do."""
    parent, name = split(change.path)
    if KIND in change.what and not wishes.replace_kind and change.before is not None:
        is_directory = stat.S_ISDIR(change.before.st_mode)
        if is_directory or change.item.kind == DIRECTORY:
            there = "a directory" if is_directory else "not a directory"
            raise Conflict(
                f"{change.path} of {place.name} is {there}, and what is copied is a {change.item.kind}",
                "replace_kind: true replaces it, with all that is in it",
            )
    try:
        directory = place.directory(parent if name else change.path)
    except (FileNotFoundError, NotADirectoryError):
        return  # it is yet to be made, in a place that was checked
    place.check_writable(change.path, directory)
    if not (name and change.before and change.is_whole):
        return
    if place.is_mount_point(directory, name) and (KIND in change.what or not wishes.in_place):
        raise mounted_over(change.path, place)
    if KIND in change.what and stat.S_ISDIR(change.before.st_mode):
        check_holds_no_mount(change.path, place)


def check_holds_no_mount(path: str, place: Place) -> None:
    """A directory that is to go must not take with it what is mounted in there."""
    mounts = place.mounts_below(place.directory(path))
    if mounts:
        raise Conflict(f"{path} of {place.name} cannot be replaced: {mounts[0]} is mounted in it")


def mounted_over(path: str, place: Place) -> Conflict:
    return Conflict(
        f"{path} of {place.name} is a mount of its own and cannot be replaced",
        "unsafe_writes: true writes into what is mounted there",
    )
