# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a container has changed in its image: the answer of `docker diff`, from the writable directory alone.

overlayfs copies a file up before it changes, so what is below `upper` has perhaps changed, and what is not
there has not. Whether it has is told as Docker tells it (moby/go-archive, changes.go): by type, mode, owner,
capability; by size and time of anything but a directory. A directory is listed if it differs itself or if
something in it does; what is in a directory that was deleted is not listed again.

    whiteout           D name
    opaque directory   D for each name that it hides and does not bring back
    the rest           A where the layers below have no such name, else C if it differs

Names are the container's: no link is followed, and the walk stays inside whatever a running container does
to its tree meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ..linux.descent import Descent
from .marks import OPAQUE, is_whiteout
from .view import Layer, View, opened, read_attribute

ADDED, CHANGED, DELETED = "A", "C", "D"
CAPABILITY = "security.capability"
_LONGEST_PATH = 4096  # bytes; what lies deeper cannot be named by anybody


class Change(t.NamedTuple):
    """`path` begins with a slash, and is text as Python decodes file names."""

    kind: str
    path: str


def changes(upper: str, lower: t.Sequence[str], hidden: t.Collection[str] = ()) -> list[Change]:
    """In the order in which a tree is walked. `lower`: the layers, top first. `hidden`: paths where something
    is mounted; what had to be made for them is no change of the container.
    """
    layers = [Layer(directory, frozenset()) for directory in lower]
    with contextlib.ExitStack() as stack:
        try:
            root = stack.enter_context(opened(upper))
        except FileNotFoundError:
            return []  # it was never mounted
        walk = _Walk(stack.enter_context(View(layers)), stack.enter_context(Descent(root)), hidden)
        return walk.changes()


class _Walk:
    def __init__(self, below: View, descent: Descent, hidden: t.Collection[str]) -> None:
        self._below = below
        self._descent = descent
        self._hidden = {path.rstrip("/") for path in hidden}
        self._on_the_way = {
            path[:end] for path in self._hidden for end in range(1, len(path)) if path[end] == "/"
        }
        """Directories above those where something is mounted."""
        self._found: dict[str, str] = {}
        self._pending: list[str] = [""]
        self._kinds = {"": CHANGED}
        """Of the directories in `upper`, whether they are listed or not."""

    def changes(self) -> list[Change]:
        while self._pending:
            self._directory(self._pending.pop())
        for path in list(self._found):
            self._list_parents(path)
        ordered = sorted(self._found.items(), key=lambda item: item[0].split("/"))
        return [Change(kind, path) for path, kind in ordered]

    def _list_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        while parent and parent not in self._found:
            self._found[parent] = self._kinds[parent]
            parent = parent.rpartition("/")[0]

    def _directory(self, path: str) -> None:
        try:
            fd = self._descent.enter(path)
            names = os.listdir(fd)
            for name in names:
                self._entry(path, name, fd)
            is_opaque = OPAQUE in os.listxattr(fd)
        except (FileNotFoundError, NotADirectoryError):
            return  # it was replaced a moment ago
        if is_opaque and self._kinds[path] == CHANGED:
            for gone in self._below.names(os.fsencode(path[1:])) - set(names):
                self._note(DELETED, f"{path}/{gone}")

    def _entry(self, path: str, name: str, directory: int) -> None:
        here = f"{path}/{name}"
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        before = self._before(path, here)
        if is_whiteout(status):
            return self._note(DELETED, here) if before else None
        if before is None:
            if here not in self._on_the_way or not stat.S_ISDIR(status.st_mode):
                self._note(ADDED, here)
        elif _differ(before, status) or self._capability_differs(here, name, directory, status):
            self._note(CHANGED, here)
        if stat.S_ISDIR(status.st_mode) and len(here) < _LONGEST_PATH and here not in self._hidden:
            merges = before is not None and stat.S_ISDIR(before.st_mode)
            self._kinds[here] = CHANGED if merges else ADDED
            self._pending.append(here)
        return None

    def _note(self, kind: str, path: str) -> None:
        if path not in self._hidden:
            self._found[path] = kind

    def _before(self, parent: str, path: str) -> os.stat_result | None:
        """What the layers below have there. Nothing is below a directory that is new."""
        return self._below.status(os.fsencode(path[1:])) if self._kinds[parent] == CHANGED else None

    def _capability_differs(self, path: str, name: str, directory: int, status: os.stat_result) -> bool:
        if not stat.S_ISREG(status.st_mode):
            return False
        return self._below.attribute(os.fsencode(path[1:]), CAPABILITY) != read_attribute(
            name, directory, CAPABILITY
        )


def _differ(old: os.stat_result, new: os.stat_result) -> bool:
    """Size and time of a directory say nothing about what is in it."""
    if _nature(old) != _nature(new):
        return True
    if stat.S_ISDIR(old.st_mode):
        return False
    return (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns)


def _nature(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_mode, status.st_uid, status.st_gid, status.st_rdev)
