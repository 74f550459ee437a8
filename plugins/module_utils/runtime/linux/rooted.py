# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Paths inside a root directory: whatever links and `..` an image brings, the file opened lies inside."""

from __future__ import annotations

import errno
import os

from . import syscalls

_SYMLINK_LIMIT = 40  # as the kernel's MAXSYMLINKS
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_in_root(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` as a process would whose root directory is `root_fd`: `..`, absolute paths and symbolic
    links of any kind end inside. Close-on-exec. Source: openat2(2), RESOLVE_IN_ROOT.
    """
    try:
        resolve = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
        return syscalls.openat2(root_fd, path, flags, mode, resolve)
    except OSError as error:
        # EAGAIN: whoever renames or mounts anything on this host disturbs the kernel's way up a `..`.
        if error.errno not in (errno.ENOSYS, errno.EAGAIN):
            raise
    return open_by_components(root_fd, path, flags, mode)


def open_by_components(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """`open_in_root` for Linux before 5.6: one component at a time, links read and followed by us.

    The descriptors of the directories passed are kept: `..` goes back to one of them, so a directory that
    somebody moves away meanwhile cannot lead outside.
    """
    passed = [os.dup(root_fd)]
    todo = _components(path)
    links = 0
    try:
        while todo:
            name = todo.pop()
            if name == "." and todo:
                continue
            if name == "..":
                if len(passed) > 1:
                    os.close(passed.pop())
                continue
            target = None if not todo and flags & os.O_NOFOLLOW else _read_link(passed[-1], name)
            if target is not None:
                links += 1
                if links > _SYMLINK_LIMIT:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if target.startswith("/"):
                    while len(passed) > 1:
                        os.close(passed.pop())
                todo += _components(target)
            elif todo:
                passed.append(os.open(name, _DIRECTORY, dir_fd=passed[-1]))
            else:
                return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=passed[-1])
        return os.open(".", flags | os.O_CLOEXEC, mode, dir_fd=passed[-1])
    finally:
        for fd in passed:
            os.close(fd)


def _components(path: str) -> list[str]:
    """The steps of a path, last one first; a trailing slash demands a directory and counts as a step."""
    steps = [name for name in path.split("/") if name not in ("", ".")]
    if path.endswith(("/", "/.")):
        steps.append(".")
    return steps[::-1]


def _read_link(dir_fd: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise
