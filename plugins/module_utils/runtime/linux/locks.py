# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Locks between processes: flock on files under run_root/locks. The kernel releases them at any death of the
holder.

The one list of lock order; who holds a lock may only take one further down, and among equals only a later
name:

    lease-<hex>       shared: a task is going to need an image or a container; exclusive: it is being pruned
    replacement-<id>  another container is about to take the place of this one
    content           shared: a pull, load or create is under way; exclusive: garbage collection
    layer-<hex>       one layer is being made
    container-<id>    the container is being changed, from create to start and by the exit handler
    volume-<hex>      the volume is being mounted, filled, unmounted or removed
    network           links, addresses of links, firewall and DNS are being changed
    names             names are being given
    agent             the agent's files and unit are being installed

Readers of state take none of them. A lock is never inherited: its descriptor is closed by exec, and by us
after a bare fork, so that no child can keep what its parent has lost. Two takings in one process are two
holders.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import re
import threading
import time
import typing as t

from ..errors import TimedOut
from ..paths import Paths
from .files import make_private_directory, names_inode

_ORDER = ("lease", "replacement", "content", "layer", "container", "volume", "network", "names", "agent")
_NAME = r"content|(lease|layer|replacement|container|volume)-[0-9a-f]+|network|names|agent"
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05
_PART_OF_WAIT = 0.1


class _Held(threading.local):
    """What this thread holds, in the order of taking."""

    def __init__(self) -> None:
        self.ranks: list[tuple[int, str]] = []


_held = _Held()
_descriptors: set[int] = set()


@contextlib.contextmanager
def lock(
    paths: Paths, name: str, *, shared: bool = False, timeout: float = 60.0, fleeting: bool = False
) -> t.Iterator[None]:
    """Hold the lock `name` in the block. Raises TimedOut, with the holder's name, when it is not free in
    `timeout` seconds. `fleeting`: its file goes afterwards, nobody is likely to want it again.
    """
    rank = _rank(name)
    make_private_directory(paths.locks)
    fd = _acquire(_lock_file(paths, name), name, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, timeout)
    _held.ranks.append(rank)
    try:
        yield
    finally:
        _held.ranks.remove(rank)
        if fleeting:
            forget_lock(paths, name)
        _close(fd)


def is_held(paths: Paths, name: str) -> bool:
    """Does somebody hold it exclusively at this moment? For those who only look."""
    return would_wait(_lock_file(paths, name), fcntl.LOCK_SH)


def would_wait(path: str, operation: int) -> bool:
    """Would this flock, LOCK_EX or LOCK_SH, on a file have to wait for somebody? No, if there is no file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def forget_lock(paths: Paths, name: str) -> None:
    """Remove the file of a lock that we hold exclusively, when its object is gone for ever. Waiters notice
    and start over.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_lock_file(paths, name))


def _lock_file(paths: Paths, name: str) -> str:
    return os.path.join(paths.locks, f"{name}.lock")


def _rank(name: str) -> tuple[int, str]:
    if not re.fullmatch(_NAME, name):
        raise ValueError(f"no such lock: {name!r}")
    rank = (_ORDER.index(name.partition("-")[0]), name)
    if _held.ranks and _held.ranks[-1] >= rank:
        raise RuntimeError(
            f"lock {name} must not be taken after {_held.ranks[-1][1]}: see the order in linux/locks.py"
        )
    return rank


def _acquire(path: str, name: str, operation: int, timeout: float) -> int:
    """A descriptor with the flock on it, of the file that `path` names now: a removed lock file locks nobody
    out.
    """
    deadline = time.monotonic() + timeout
    while True:
        fd = _open(path)
        try:
            if not _wait_for_flock(fd, operation, deadline):
                raise _timed_out(name, fd, timeout)
            if names_inode(path, fd):
                return fd
        except BaseException:
            _close(fd)
            raise
        _close(fd)


def _wait_for_flock(fd: int, operation: int, deadline: float) -> bool:
    """flock(2) knows no timeout, and an alarm belongs to the program, not to a library: ask again after
    pauses that are short beside the time that it has waited.
    """
    begun = time.monotonic()
    while True:
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                raise
        now = time.monotonic()
        if now >= deadline:
            return False
        pause = min(max(_FIRST_PAUSE, (now - begun) * _PART_OF_WAIT), _LONGEST_PAUSE)
        time.sleep(min(pause, deadline - now))


def _timed_out(name: str, fd: int, timeout: float) -> TimedOut:
    holders = [f"{pid} ({_command(pid)})" for pid in holders_of(fd)]
    who = f"process {', '.join(holders)}" if holders else "another process"
    message = f"lock {name} is still held by {who} after {timeout:g} s"
    return TimedOut(message, "wait for it to finish, or end it if it hangs", lock=name)


def holders_of(fd: int) -> list[int]:
    """Processes that hold a flock on the open file. Source: proc(5), /proc/locks."""
    found = os.fstat(fd)
    file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    holders = set()
    with open("/proc/locks", encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if words[1] == "FLOCK" and words[5] == file:
                holders.add(int(words[4]))
    return sorted(holders)


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "gone by now"


# Descriptors and fork


def _open(path: str) -> int:
    _close_in_forked_children()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    _descriptors.add(fd)
    return fd


def _close(fd: int) -> None:
    _descriptors.discard(fd)
    os.close(fd)


@functools.cache
def _close_in_forked_children() -> None:
    os.register_at_fork(after_in_child=_drop_inherited)


def _drop_inherited() -> None:
    """Closing does not unlock: the lock belongs to the open file, which the parent still has."""
    for fd in _descriptors:
        os.close(fd)
    _descriptors.clear()
    _held.ranks.clear()
