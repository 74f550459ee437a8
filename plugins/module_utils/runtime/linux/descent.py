# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Going through a tree that somebody else may be changing, without ever leaving it."""

from __future__ import annotations

import os

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_DIRECTORIES = 64  # of a tree, whatever its depth


class Descent:
    """Walks from directory to directory below `root`, name by name; none may be a link. The last ones on the
    way stay open: mostly the next one is near.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: list[tuple[str, int]] = []

    def enter(self, path: str) -> int:
        """A descriptor of `path` (`/a/b`, empty for the root), good until the next call."""
        while self._open and not f"{path}/".startswith(f"{self._open[-1][0]}/"):
            os.close(self._open.pop()[1])
        at, fd = self._open[-1] if self._open else ("", self._root)
        for name in filter(None, path[len(at) :].split("/")):
            at, fd = f"{at}/{name}", os.open(name, _DIRECTORY, dir_fd=fd)
            self._open.append((at, fd))
            if len(self._open) > _OPEN_DIRECTORIES:
                os.close(self._open.pop(0)[1])
        return fd

    def __enter__(self) -> Descent:
        return self

    def __exit__(self, *_error: object) -> None:
        for _path, fd in self._open:
            os.close(fd)
        self._open.clear()
