# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Copying a tree of files into another one, when neither can be trusted.

Both are known by descriptors only, and every step goes by a single name that is not followed if it is a link:
whatever somebody puts into one of the trees meanwhile, nothing outside them is read or written. Nothing that
exists is replaced. Both directories have to be open for reading.

Owners, modes, times, hard links, devices, holes, file capabilities and `user.*` attributes are kept; sockets
are left out. What a crash leaves behind: a part of the copy, for the caller to remove.
"""

from __future__ import annotations

import errno
import os
import stat

from .descent import Descent

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO in its place must not block
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_SENDFILE_LIMIT = 1 << 30
_CAPABILITY = "security.capability"


def copy_tree(source: int, target: int) -> None:
    """Copy what is in the directory `source` into the empty directory `target`, and the metadata of the
    directory.
    """
    known: dict[tuple[int, int], tuple[str, str]] = {}
    pending = [""]
    with Descent(source) as sources, Descent(target) as targets, Descent(target) as originals:
        while pending:
            path = pending.pop()
            taken, made = sources.enter(path), targets.enter(path)
            for name in os.listdir(taken):
                found = os.stat(name, dir_fd=taken, follow_symlinks=False)
                first = known.get((found.st_dev, found.st_ino))
                if stat.S_ISDIR(found.st_mode):
                    os.mkdir(name, 0o700, dir_fd=made)
                    pending.append(f"{path}/{name}")
                elif first is not None:
                    directory, original = originals.enter(first[0]), first[1]
                    os.link(original, name, src_dir_fd=directory, dst_dir_fd=made, follow_symlinks=False)
                else:
                    _copy_entry(taken, made, name, found)
                    if found.st_nlink > 1:
                        known[found.st_dev, found.st_ino] = (path, name)
            copy_metadata(taken, made)


def copy_metadata(source: int, target: int) -> None:
    """Owner, mode, attributes and times of one open file or directory to another."""
    found = os.fstat(source)
    os.fchown(target, found.st_uid, found.st_gid)
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    _copy_attributes(source, target)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_entry(taken: int, made: int, name: str, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        _copy_file(taken, made, name)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=taken), name, dir_fd=made)
        os.chown(name, found.st_uid, found.st_gid, dir_fd=made, follow_symlinks=False)
        os.utime(name, ns=(found.st_atime_ns, found.st_mtime_ns), dir_fd=made, follow_symlinks=False)
    elif not stat.S_ISSOCK(found.st_mode):
        _make_node(made, name, found)


def _copy_file(taken: int, made: int, name: str) -> None:
    source = os.open(name, _READ, dir_fd=taken)
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            return
        target = os.open(name, _CREATE, 0o600, dir_fd=made)
        try:
            _copy_content(source, target)
            copy_metadata(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_content(source: int, target: int) -> None:
    """Piece by piece between holes: a file of one byte at the end of a terabyte stays small."""
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole to the end
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        os.lseek(target, start, os.SEEK_SET)
        while start < end:
            sent = os.sendfile(target, source, start, min(end - start, _SENDFILE_LIMIT))
            if not sent:
                return  # it has become shorter
            start += sent


def _make_node(made: int, name: str, found: os.stat_result) -> None:
    """A FIFO or a device. Its mode is set through a descriptor: chmod(2) would follow a link in its place."""
    os.mknod(name, stat.S_IFMT(found.st_mode) | 0o600, found.st_rdev, dir_fd=made)
    fd = os.open(name, _PLACE, dir_fd=made)
    try:
        if stat.S_IFMT(os.fstat(fd).st_mode) == stat.S_IFMT(found.st_mode):
            place = f"/proc/self/fd/{fd}"
            os.chown(place, found.st_uid, found.st_gid)
            os.chmod(place, stat.S_IMODE(found.st_mode))
            os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
    finally:
        os.close(fd)


def _copy_attributes(source: int, target: int) -> None:
    """Those that say something about the file, not about the file system it lies on or its place there."""
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return
        raise
    for name in names:
        if name != _CAPABILITY and (not name.startswith("user.") or name.startswith("user.overlay.")):
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if name == _CAPABILITY or error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
