# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Mounts: overlay and bind, their removal, and what is mounted below a path."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import typing as t

from ..errors import HostNotReady, StorageError
from . import syscalls

_MOUNT_DATA_LIMIT = 4095  # mount(2) copies one page, terminating zero included
_SEPARATORS = re.compile(r"[:,\\\n]")

# What distributions switch on or off by kernel configuration and a tree of files must not depend on.
_OVERLAY_OPTIONS = ("index=off", "metacopy=off", "redirect_dir=nofollow")


def mount_overlay(
    lower: t.Sequence[str], upper: str | None, work: str | None, target: str, *, volatile: bool = False
) -> None:
    """Mount the directories `lower` (top first) under `upper` at `target`; read-only when `upper` is None.

    `volatile` gives up the durability of `upper` where the kernel can (5.10): for trees that die with their
    container.
    """
    directories = [*lower, *(path for path in (upper, work) if path is not None)]
    with contextlib.ExitStack() as stack:
        names = directories
        if len(_overlay_data(lower, upper, work)) > _MOUNT_DATA_LIMIT or any(
            map(_SEPARATORS.search, directories)
        ):
            names = [stack.enter_context(_short_name(path)) for path in directories]
        data = _overlay_data(names[: len(lower)], *(names[len(lower) :] or (None, None)))
        try:
            _mount_overlay(target, data, volatile)
        except OSError as error:
            raise _explained(error, target, upper or lower[0]) from error


def _overlay_data(lower: t.Sequence[str], upper: str | None, work: str | None) -> str:
    layers = [f"lowerdir={':'.join(lower)}"]
    if upper is not None:
        layers += [f"upperdir={upper}", f"workdir={work}"]
    return ",".join([*layers, *_OVERLAY_OPTIONS])


@contextlib.contextmanager
def _short_name(path: str) -> t.Iterator[str]:
    """A name of at most 20 bytes, free of separators, that leads to the directory while the block runs."""
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _mount_overlay(target: str, data: str, volatile: bool) -> None:
    if volatile:
        try:
            return syscalls.mount("overlay", target, "overlay", 0, f"{data},volatile")
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
    return syscalls.mount("overlay", target, "overlay", 0, data)


def _explained(error: OSError, target: str, where: str) -> Exception:
    if error.errno == errno.ENODEV:
        return HostNotReady("this kernel has no overlay file system", "load the module: modprobe overlay")
    if error.errno == errno.EINVAL:
        fstype = filesystem_type(where)
        return StorageError(
            f"overlay on {fstype} is not supported", "put the state directory on a local disk"
        )
    return OSError(error.errno, error.strerror, target)


def bind_mount(source: str, target: str, *, recursive: bool = False, read_only: bool = False) -> None:
    """Show `source` (a file or a directory) at `target` too."""
    flags = syscalls.MS_BIND | (syscalls.MS_REC if recursive else 0)
    syscalls.mount(source, target, None, flags)
    if read_only:
        try:
            syscalls.mount(None, target, None, syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY)
        except OSError:
            unmount(target)
            raise


def unmount(target: str, missing_ok: bool = True) -> None:
    """Take away the topmost mount at `target`; lazily (it goes with its last user) only when it is busy."""
    try:
        syscalls.umount2(target, syscalls.UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.EBUSY:
            syscalls.umount2(target, syscalls.UMOUNT_NOFOLLOW | syscalls.MNT_DETACH)
        elif not (missing_ok and error.errno in (errno.EINVAL, errno.ENOENT)):
            raise


def unmount_below(path: str) -> None:
    """Unmount everything at or below `path`, last mounted first."""
    for target in reversed(mounts_below(path)):
        unmount(target)


class Mount(t.NamedTuple):
    """A line of mountinfo: where, which file system, which part of it, and its options (not those of the
    mount point).
    """

    target: str
    fstype: str
    root: str
    options: str


def mounts(mountinfo: str | int = "/proc/self/mountinfo") -> list[Mount]:
    """Everything mounted in this mount namespace, or that of an open mountinfo (which is closed), in the
    order of mounting. Source: proc(5).
    """
    found = []
    with open(mountinfo, "rb") as lines:
        for line in lines:
            fields = line.split(b" ")
            fstype, _source, options = fields[fields.index(b"-") + 1 :][:3]
            found.append(Mount(*map(_unescape, (fields[4], fstype, fields[3], options.rstrip()))))
    return found


def _unescape(field: bytes) -> str:
    """Space, tab, newline and backslash are written as three octal digits after a backslash."""
    if b"\\" not in field:
        return os.fsdecode(field)
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field))


def mounts_below(path: str) -> list[str]:
    """Mount points at or below `path` in the order of mounting; one that was mounted over appears twice."""
    place = os.path.realpath(path)
    inside = place.rstrip("/") + "/"
    return [mount.target for mount in mounts() if mount.target == place or mount.target.startswith(inside)]


def is_mounted(path: str) -> bool:
    place = os.path.realpath(path)
    return any(mount.target == place for mount in mounts())


def is_file_system(path: str) -> bool:
    """Is a file system other than that of its directory mounted at `path`? For a root, a tmpfs or a namespace
    the same as `is_mounted`, without the list of all mounts. Source: `Inode properties` in overlayfs.rst.
    """
    try:
        return os.lstat(path).st_dev != os.lstat(os.path.dirname(path)).st_dev
    except FileNotFoundError:
        return False


def filesystem_type(path: str) -> str:
    """The kernel's name of the file system that `path` lies on: ext4, nfs4, overlay…"""
    place = os.path.realpath(path)
    best = Mount("", "an unknown file system", "", "")
    for mount in mounts():
        if (place + "/").startswith(mount.target.rstrip("/") + "/") and len(mount.target) >= len(best.target):
            best = mount
    return best.fstype
