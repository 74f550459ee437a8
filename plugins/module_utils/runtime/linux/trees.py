# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Trees of files: taken out of their place in one step, removed whatever they contain.

What a crash leaves behind: `move_to_trash` leaves the tree in one of its two places; `remove_tree` leaves a
smaller tree, which the next call removes.
"""

from __future__ import annotations

import errno
import itertools
import os
import typing as t

from ..errors import StorageError
from ..paths import Paths
from .files import fsync_directory, make_private_directory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS = 100


def move_to_trash(paths: Paths, path: str) -> str:
    """Take `path` out of its place in one durable step; the new place is returned, for `remove_tree` at
    leisure.

    Rule R4: under the lock of the object rename into trash/, unlink after the lock is released. Whatever is
    found in trash/ may be removed by anybody at any time.
    """
    make_private_directory(paths.trash)
    trashed = os.path.join(paths.trash, f"{os.path.basename(path)}.{os.urandom(8).hex()}")
    os.rename(path, trashed)
    fsync_directory(os.path.dirname(path))
    fsync_directory(paths.trash)
    return trashed


def remove_tree(path: str) -> None:
    """Remove `path` with all that is below it; fine if it is not there, or if somebody else is removing it
    too.

    Neither depth nor names nor modes matter: a directory with content is moved up to be a child of `path`
    before it is listed, so the work never goes deeper than two descriptors. A mount point keeps its content
    and is an error (EBUSY).
    """
    for _attempt in range(_ATTEMPTS):
        if _removed(path):
            return
        try:
            top = os.open(path, _DIRECTORY)
        except FileNotFoundError:
            return
        try:
            _empty_directory(top)
        finally:
            os.close(top)
    raise StorageError(f"{path} fills up while it is removed", "find the process that writes there")


def _removed(path: str, dir_fd: int | None = None) -> bool:
    """Remove a file or an empty directory. False: a directory with content. A mount point is EBUSY before
    anything.
    """
    try:
        os.rmdir(path, dir_fd=dir_fd)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        _unlink(path, dir_fd)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _unlink(path: str, dir_fd: int | None) -> None:
    try:
        os.unlink(path, dir_fd=dir_fd)
    except FileNotFoundError:
        pass


def _empty_directory(top: int) -> None:
    prefix = f".{os.urandom(8).hex()}."
    names = (f"{prefix}{number}" for number in itertools.count())
    pending = _clear(top, top, prefix, names)
    while pending:
        name = pending.pop()
        try:
            directory = os.open(name, _DIRECTORY, dir_fd=top)
        except FileNotFoundError:
            continue
        try:
            pending += _clear(directory, top, prefix, names)
        finally:
            os.close(directory)
        _removed(name, top)


def _clear(directory: int, top: int, prefix: str, names: t.Iterator[str]) -> list[str]:
    """Unlink what is in `directory`; the directories among it that have content move to `top`: their new
    names.
    """
    moved = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                _unlink(entry.name, directory)
            elif not entry.name.startswith(prefix) and not _removed(entry.name, directory):
                name = next(names)
                try:
                    os.rename(entry.name, name, src_dir_fd=directory, dst_dir_fd=top)
                except FileNotFoundError:
                    continue
                moved.append(name)
    return moved
