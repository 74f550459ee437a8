# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What differs between what is to be copied and a place that is known by a list only: another machine's."""

from __future__ import annotations

import hashlib
import typing as t

from ..errors import Conflict
from .compare import CONTENT, KIND, MODE, NEW, TARGET, Change, Wishes, hash_pieces
from .items import DIRECTORY, FILE, LINK, Item, Source
from .modes import NEW_DIRECTORY, NEW_FILE
from .place import join


def compare_with_list(
    source: Source, there: t.Mapping[str, Item], top: str, wishes: Wishes
) -> t.Iterator[Change]:
    """`there` by path; `top` is the path over there, for messages."""
    for item in source.items():
        known = there.get(item.path)
        what = _what(item, known, source, top, wishes)
        mode = _mode(item, known, wishes)
        if known is not None and KIND not in what and item.kind != LINK and mode != known.mode:
            what.append(MODE)
        if what:
            yield Change(join(top, item.path), item, tuple(what), None, mode, 0, 0)


def _what(item: Item, known: Item | None, source: Source, top: str, wishes: Wishes) -> list[str]:
    if known is None:
        return [NEW]
    if not wishes.force and known.kind != DIRECTORY:
        return []
    if known.kind != item.kind:
        if DIRECTORY in (known.kind, item.kind) and not wishes.replace_kind:
            raise Conflict(
                f"{join(top, item.path)} of the controller is a {known.kind}, and what is copied is a"
                f" {item.kind}",
                "replace_kind: true replaces it, with all that is in it",
            )
        return [KIND]
    if item.kind == FILE and not _is_same(item, known, source):
        return [CONTENT]
    if item.kind == LINK and item.target != known.target:
        return [TARGET]
    return []


def _is_same(item: Item, known: Item, source: Source) -> bool:
    if item.size != known.size:
        return False
    found = hashlib.sha256()
    hash_pieces(found, source.content(item), item.size)
    return found.hexdigest() == known.digest


def _mode(item: Item, known: Item | None, wishes: Wishes) -> int:
    is_directory = item.kind == DIRECTORY
    current = known.mode if known else NEW_DIRECTORY if is_directory else NEW_FILE
    if wishes.archive or (wishes.preserve and not (is_directory and known)):
        current = item.mode
    wanted = wishes.directory_mode if is_directory else wishes.mode
    return wanted.applied(current, is_directory) if wanted and not (is_directory and known) else current
