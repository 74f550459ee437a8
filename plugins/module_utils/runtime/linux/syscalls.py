# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""System calls that Python does not have, through one errno funnel.

Every failure leaves as an `OSError` whose text names the call and whose `filename` is the path concerned, so
that `errors.from_os_error` reads `/srv/x: mount: No such device`. EINTR is retried, as Python does for its
own (PEP 475).
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import typing as t

Path = t.Union[str, bytes]

AT_FDCWD = -100
AT_RECURSIVE = 0x8000
AT_EMPTY_PATH = 0x1000

# linux/openat2.h
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

# linux/mount.h
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_DIRSYNC = 0x80
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8
OPEN_TREE_CLONE = 0x1
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
FSOPEN_CLOEXEC = 0x1
FSMOUNT_CLOEXEC = 0x1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_SET_FD = 5
FSCONFIG_CMD_CREATE = 6

# linux/sched.h
CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

# linux/fs.h
RENAME_NOREPLACE = 0x1
RENAME_EXCHANGE = 0x2

# linux/prctl.h
PR_SET_PDEATHSIG = 1

# Calls that not every libc wraps. Those born after Linux 5.0 have one number on all architectures.
_NUMBERS = {
    "pidfd_send_signal": 424,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "pidfd_open": 434,
    "openat2": 437,
}
_RENAMEAT2_NUMBERS = {
    "x86_64": 316,
    "aarch64": 276,
    "riscv64": 276,
    "loongarch64": 276,
    "ppc64le": 357,
    "s390x": 347,
    "i686": 353,
    "armv7l": 382,
}

# RESOLVE_IN_ROOT gives EAGAIN while somebody renames directories on the way (openat2(2)).
_OPENAT2_ATTEMPTS = 1000


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


@functools.cache
def _function(name: str) -> t.Callable[..., int]:
    libc = ctypes.CDLL(None, use_errno=True)
    number = _NUMBERS.get(name)
    if number is None and name == "renameat2":
        number = _RENAMEAT2_NUMBERS.get(platform.machine())
    if number is None:
        try:
            return t.cast("t.Callable[..., int]", getattr(libc, name))
        except AttributeError:
            raise OSError(errno.ENOSYS, f"{name}: {os.strerror(errno.ENOSYS)}") from None
    libc.syscall.restype = ctypes.c_long
    return functools.partial(libc.syscall, ctypes.c_long(number))


def _argument(value: t.Any) -> t.Any:
    """Integers become machine words, text becomes file system bytes; structures and None (NULL) pass."""
    if isinstance(value, int):
        return ctypes.c_long(value)
    if isinstance(value, str):
        return os.fsencode(value)
    return value


def syscall(name: str, *args: t.Any, path: Path | None = None) -> int:
    """Call `name` and return its result; raise OSError with the call's name and `path` when it is -1."""
    function = _function(name)
    arguments = [_argument(value) for value in args]
    while True:
        result = function(*arguments)
        if result != -1:
            return result
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, f"{name}: {os.strerror(code)}", path)


def openat2(dirfd: int, path: Path, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2), close-on-exec. ENOSYS before Linux 5.6: the caller has to have another way."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    for attempt in range(_OPENAT2_ATTEMPTS):
        try:
            return syscall("openat2", dirfd, path, ctypes.byref(how), ctypes.sizeof(how), path=path)
        except OSError as error:
            if error.errno != errno.EAGAIN or attempt + 1 == _OPENAT2_ATTEMPTS:
                raise
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def syncfs(fd: int) -> None:
    """Write out the file system that holds `fd`. Since Linux 5.8 a failed write-back since the last call is
    an error here.
    """
    syscall("syncfs", fd)


def mount(
    source: Path | None, target: Path, fstype: str | None, flags: int = 0, data: Path | None = None
) -> None:
    syscall("mount", source, target, fstype, flags, data, path=target)


def umount2(target: Path, flags: int = 0) -> None:
    syscall("umount2", target, flags, path=target)


def unshare(flags: int) -> None:
    syscall("unshare", flags)


def setns(fd: int, kind: int = 0) -> None:
    syscall("setns", fd, kind)


def renameat2(old_dirfd: int, old: Path, new_dirfd: int, new: Path, flags: int = 0) -> None:
    syscall("renameat2", old_dirfd, old, new_dirfd, new, flags, path=new)


def fsopen(fstype: str, flags: int = FSOPEN_CLOEXEC) -> int:
    return syscall("fsopen", fstype, flags, path=fstype)


def fsconfig(
    fd: int, command: int, key: str | None = None, value: Path | None = None, auxiliary: int = 0
) -> None:
    """fsconfig(2); a string value may have at most 255 bytes."""
    syscall("fsconfig", fd, command, key, value, auxiliary, path=value)


def fsmount(fd: int, flags: int = FSMOUNT_CLOEXEC, attributes: int = 0) -> int:
    return syscall("fsmount", fd, flags, attributes)


def move_mount(from_fd: int, from_path: Path, to_fd: int, to_path: Path, flags: int) -> None:
    syscall("move_mount", from_fd, from_path, to_fd, to_path, flags, path=to_path)


def open_tree(dirfd: int, path: Path, flags: int) -> int:
    return syscall("open_tree", dirfd, path, flags | os.O_CLOEXEC, path=path)


def prctl(option: int, *args: int) -> int:
    words = (*args, 0, 0, 0, 0)[:4]
    return syscall("prctl", option, *words)


def pidfd_open(pid: int) -> int:
    """A close-on-exec descriptor of the process. (Some builds of Python 3.9 lack `os.pidfd_open`.)"""
    return syscall("pidfd_open", pid, 0)


def pidfd_send_signal(pidfd: int, signum: int) -> None:
    syscall("pidfd_send_signal", pidfd, signum, None, 0)


def getsockopt(fd: int, level: int, option: int, question: bytes) -> bytes:
    """getsockopt(2) for options that are told what to answer: the answer has at most the question's size."""
    buffer = ctypes.create_string_buffer(question, len(question))
    length = ctypes.c_uint32(len(question))
    syscall("getsockopt", fd, level, option, buffer, ctypes.byref(length))
    return buffer.raw[: length.value]
