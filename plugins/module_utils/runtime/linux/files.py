# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files and directories: private whatever the umask, durable when the call returns.

What a crash leaves behind: `write_atomically` may leave one `.<name>.new` beside its target, which the next
write of the same file takes over.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys

from ..errors import Conflict, IntegrityError, InvalidInput, NotFound
from . import syscalls

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # linux/fs.h, 64 bit; another number is an error, and ignored
_TOP_OF_HIERARCHY = 0x20000  # FS_TOPDIR_FL
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


# Private directories


def make_private_directory(path: str, *, fleeting: bool = False) -> None:
    """Make `path` a directory that only we can enter (0700), with its missing parents; fine if it already is
    one. `fleeting`: it need not survive a power cut.

    Raises Conflict when something else, a symbolic link or somebody else's directory is there: whoever put it
    there could read or replace what we store.
    """
    if _make_directory(path, fleeting) and not fleeting:
        fsync_directory(os.path.dirname(path))
    try:
        fd = os.open(path, _DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Conflict(
                f"{path} is not a directory of its own", "remove it or choose another directory"
            ) from None
        raise
    try:
        found = os.fstat(fd)
        if found.st_uid != os.geteuid():
            raise Conflict(
                f"{path} belongs to user {found.st_uid}, not to us ({os.geteuid()})",
                "remove it, change its owner or choose another directory",
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(fd, 0o700)
    finally:
        os.close(fd)


def _make_directory(path: str, fleeting: bool) -> bool:
    """Make one directory; its parents first when they are missing. False: something is there already."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return False
    except FileNotFoundError:
        make_private_directory(os.path.dirname(path), fleeting=fleeting)
        return _make_directory(path, fleeting)
    return True


def spread_below(path: str) -> None:
    """Ask ext4 to put each new directory in `path` into another part of the disk; others ignore it.

    Otherwise all that is below one directory shares a block group; where many files were removed lately, ext4
    tries their inodes one by one, for each new file (measured: 0.7 ms a file instead of 0.02).
    Source: chattr(1), attribute T; `find_group_orlov` and `recently_deleted` in fs/ext4/ialloc.c.
    """
    fd = os.open(path, _DIRECTORY)
    try:
        flags = bytearray(8)
        fcntl.ioctl(fd, _GET_FLAGS, flags)
        wanted = int.from_bytes(flags[:4], sys.byteorder) | _TOP_OF_HIERARCHY
        if wanted.to_bytes(4, sys.byteorder) != flags[:4]:
            fcntl.ioctl(fd, _SET_FLAGS, wanted.to_bytes(4, sys.byteorder) + bytes(4))
    except OSError:
        pass  # a hint: other file systems do not know it, others place directories well by themselves
    finally:
        os.close(fd)


# Durable writes


def write_atomically(path: str, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by a file with `data` and `mode`: readers, and a power cut, see the old or the new,
    never a part.

    Synced when it returns, its name included. Writers of the same file take turns at `.<name>.new`.
    """
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.new")
    fd = _own_temporary(temporary)
    try:
        os.ftruncate(fd, 0)
        write_all(fd, data)
        os.fchmod(fd, mode)
        os.fsync(fd)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    fsync_directory(directory)


def _own_temporary(path: str) -> int:
    """Open `path` and hold its flock, once it is certain that the name still leads to the file that we
    locked.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if names_inode(path, fd):
            return fd
        os.close(fd)


def names_inode(path: str, fd: int) -> bool:
    """Does `path` (not followed) still lead to the open file `fd`?"""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def fsync_directory(path: str) -> None:
    """Make the names in a directory durable: what was created, renamed or removed there."""
    fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: str) -> None:
    """syncfs(2): everything written so far to the file system of `path` is on the disk when this returns."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.syncfs(fd)
    finally:
        os.close(fd)


def free_bytes(path: str) -> int:
    """Bytes that can still be written to the file system on which `path` is or will be."""
    while True:
        try:
            found = os.statvfs(path)
        except FileNotFoundError:
            path = os.path.dirname(path) or "."
        else:
            return found.f_bavail * found.f_frsize


# Reading what others wrote


def read_bounded(source: str | int, limit: int) -> bytes:
    """The whole content of a regular file, given by path or by descriptor (left open, read from where it
    stands).

    Raises IntegrityError for anything that is not a regular file (a FIFO would hang) or has more than `limit`
    bytes.
    """
    if isinstance(source, int):
        return _read_bounded(source, limit, "file")
    fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _read_bounded(fd, limit, source)
    finally:
        os.close(fd)


def read_asked_file(option: str, path: str, limit: int) -> bytes:
    """A file that a task names; NotFound or InvalidInput when there is none, naming the option."""
    try:
        return read_bounded(path, limit)
    except FileNotFoundError:
        hint = "it is read on the target, not on the controller: copy it there first"
        raise NotFound(f"{option}: there is no file {path}", hint) from None
    except IntegrityError as error:
        raise InvalidInput(f"{option}: {error.message}", option=option) from None
    except OSError as error:
        raise InvalidInput(f"{option}: {path}: {error.strerror}", option=option) from None


def _read_bounded(fd: int, limit: int, name: str) -> bytes:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise IntegrityError(f"{name} is not a regular file")
    content = bytearray()
    while len(content) <= limit:
        piece = os.read(fd, min(1 << 20, limit + 1 - len(content)))
        if not piece:
            return bytes(content)
        content += piece
    raise IntegrityError(f"{name} has more than {limit} bytes")
