# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Changes as Ansible's diff shows them: texts line by line, binary and large files by a sentence.

A task that changes thousands of files shows the first ones.
"""

from __future__ import annotations

import os
import stat
import typing as t

from .compare import GROUP, MODE, NEW, OWNER, Change
from .items import DIRECTORY, FILE, LINK, Item, Source
from .place import Place
from .tree_source import open_file, pieces

LARGEST_TEXT = 104448  # bytes; as Ansible's default of max_file_size_for_diff
_MOST_FILES = 50

HasContent = t.Callable[[Item], bool]


def differences_shown(
    changes: t.Iterable[Change], place: Place, source: Source, has_content: HasContent
) -> list[dict[str, t.Any]]:
    """Before anything is changed. `has_content`: can the source be asked for what a file will be?"""
    shown: list[dict[str, t.Any]] = []
    for change in changes:
        if len(shown) >= _MOST_FILES:
            shown.append({"prepared": "… and more\n"})
            break
        if change.is_whole:
            shown.append(_body(change, place, source, has_content))
        numbers = _numbers(change)
        if numbers:
            shown.append(numbers)
    return shown


def _body(change: Change, place: Place, source: Source, has_content: HasContent) -> dict[str, t.Any]:
    diff: dict[str, t.Any] = {"before_header": change.path, "after_header": change.path}
    before = change.before
    if before is None:
        diff["before"] = ""
    elif stat.S_ISREG(before.st_mode):
        add_text(diff, "before", "dst", before.st_size, lambda: _content_there(change, place))
    else:
        diff["before"] = f"({_kind_of(before.st_mode)})\n"
    if change.item.kind == FILE:
        item = change.item
        if item.size > LARGEST_TEXT or has_content(item):
            add_text(diff, "after", "src", item.size, lambda: _content_to_be(item, source))
        else:
            diff["after"] = ""
    else:
        link = f"{change.item.kind} to {change.item.target}" if change.item.target else change.item.kind
        diff["after"] = f"({link})\n"
    return diff


def add_text(
    diff: dict[str, t.Any],
    side: str,
    flag: str,
    size: int,
    content: t.Callable[[], bytes],
    largest: int = LARGEST_TEXT,
) -> None:
    """One side of a diff, under the keys that Ansible's callbacks know."""
    if size > largest:
        diff[f"{flag}_larger"] = largest
        return
    data = content()
    if b"\0" in data:
        diff[f"{flag}_binary"] = 1
    else:
        diff[side] = data.decode("utf-8", "replace")


def _content_there(change: Change, place: Place) -> bytes:
    fd = open_file(place, change.path)
    try:
        size = min(change.before.st_size if change.before else 0, LARGEST_TEXT)
        return _joined(pieces(fd, size, change.path), size)
    finally:
        os.close(fd)


def _content_to_be(item: Item, source: Source) -> bytes:
    return _joined(source.content(item), item.size)


def _joined(parts: t.Iterable[tuple[int, bytes]], size: int) -> bytes:
    data = bytearray(size)
    for offset, piece in parts:
        data[offset : offset + len(piece)] = piece
    return bytes(data)


def _numbers(change: Change) -> dict[str, t.Any] | None:
    """Mode and owner of what is there already."""
    before = change.before
    if before is None or NEW in change.what:
        return None
    rows = {
        MODE: (f"{stat.S_IMODE(before.st_mode):04o}", f"{change.mode:04o}"),
        OWNER: (before.st_uid, change.uid),
        GROUP: (before.st_gid, change.gid),
    }
    chosen = {name: pair for name, pair in rows.items() if name in change.what}
    if not chosen:
        return None
    return {
        "before_header": change.path,
        "after_header": change.path,
        "before": {name: pair[0] for name, pair in chosen.items()},
        "after": {name: pair[1] for name, pair in chosen.items()},
    }


def _kind_of(mode: int) -> str:
    kinds = {stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: LINK}
    return kinds.get(stat.S_IFMT(mode), "special file")
