# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A process enters a layer and has no other file system any more.

A second wall behind tree.py: in a mount namespace of its own the layer becomes the root, everything else is
detached, and from the layer nothing can be executed, loaded as a library (noexec), opened as a device (nodev)
or imported. Before that, what will be needed must have been loaded (CVE-2019-14271: NSS was not).
"""

from __future__ import annotations

import os
import resource
import sys
import typing as t

from ..linux import mounts, syscalls
from .limits import Limits

_FLAGS = syscalls.MS_NOEXEC | syscalls.MS_NODEV | syscalls.MS_NOSUID
_DESCRIPTORS = 4096  # one for each level of the deepest tree to be removed, and the open directories


def limit_resources(limits: Limits) -> None:
    """Memory, file sizes and descriptors of this process; no core dump of what it reads."""
    with open("/proc/self/statm", "rb") as file:
        pages = int(file.read().split()[0])
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


def enter(directory: str, lower: t.Sequence[str]) -> int:
    """Make `<directory>/diff` the root of this process and return a descriptor of it.

    With `lower` (top first) the root is what a container would see: `diff` over them, through `work` and
    `merged`, which are made for it beside `diff`.
    """
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    root = os.path.join(directory, "diff")
    if lower:
        upper, work, root = root, os.path.join(directory, "work"), os.path.join(directory, "merged")
        os.mkdir(work, 0o700)
        os.mkdir(root, 0o700)
        mounts.mount_overlay(lower, upper, work, root)
    else:
        mounts.bind_mount(root, root)
    syscalls.mount(None, root, None, syscalls.MS_BIND | syscalls.MS_REMOUNT | _FLAGS)
    os.chdir(root)
    syscalls.syscall("pivot_root", ".", ".", path=root)
    syscalls.umount2(".", syscalls.MNT_DETACH)
    os.chdir("/")
    _forget_modules()
    return os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _forget_modules() -> None:
    """Whatever tries to import from now on fails: the paths that Python knows now lead into the layer."""
    for known in (sys.path, sys.meta_path, sys.path_hooks):
        known.clear()
    sys.path_importer_cache.clear()
