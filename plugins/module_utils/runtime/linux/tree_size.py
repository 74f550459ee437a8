# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How much is in a tree of files, as `docker ps --size` counts it."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def tree_size(path: str) -> int:
    """The bytes of the regular files at or below `path`, of a file with several names once; 0 if nothing is
    there.

    No symbolic link is followed, and nothing that is mounted below is looked at. What vanishes meanwhile does
    not count.
    """
    try:
        top = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return 0
    if not stat.S_ISDIR(top.st_mode):
        return top.st_size if stat.S_ISREG(top.st_mode) else 0
    seen: set[int] = set()
    return sum(_new_bytes(status, seen) for status in _files_below(path, top.st_dev))


def _new_bytes(status: os.stat_result, seen: set[int]) -> int:
    if status.st_nlink > 1:
        if status.st_ino in seen:
            return 0
        seen.add(status.st_ino)
    return status.st_size


def _files_below(path: str, device: int) -> t.Iterator[os.stat_result]:
    """One directory is open at a time, and the way back up is `..`: neither depth nor width has a limit.

    Whoever moves directories about while they are counted gets a number that is too small, nothing else.
    """
    current = _opened(path)
    if current is None:
        return
    levels: list[_Level] = []
    try:
        yield from _enter(current, device, levels)
        while True:
            if levels[-1].names:
                inner = _opened(levels[-1].names.pop(), current)
                if inner is not None:
                    os.close(current)
                    current = inner
                    yield from _enter(current, device, levels)
                continue
            levels.pop()
            outer = _opened("..", current) if levels else None
            if outer is None:
                return
            os.close(current)
            current = outer
            if os.fstat(current).st_ino != levels[-1].inode:
                return
    finally:
        os.close(current)


class _Level(t.NamedTuple):
    """A directory on the way down, and those in it that are yet to come."""

    inode: int
    names: list[str]


def _enter(directory: int, device: int, levels: list[_Level]) -> t.Iterator[os.stat_result]:
    """The regular files in a directory; those of its directories are noted."""
    levels.append(_Level(os.fstat(directory).st_ino, []))
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield status
                elif stat.S_ISDIR(status.st_mode) and status.st_dev == device:
                    levels[-1].names.append(entry.name)


def _opened(path: str, directory: int | None = None) -> int | None:
    try:
        return os.open(path, _DIRECTORY, dir_fd=directory)
    except (FileNotFoundError, NotADirectoryError):
        return None
