# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Who gives full log segments their names (log_segments.py) as soon as conmon has begun the next one.

One process for all containers of an engine. Where systemd runs it watches the directory itself and starts
this only when there is something to do (operations/watch_logs.py); elsewhere it waits here while there are
containers that log.

conmon writes 10 MiB in 30 ms if a program floods its output, and a keeper that comes after the next 10 MiB
has lost them. So it does not hurry, it makes conmon wait: the next segment is there already, empty, and we
hold a lease on it (fcntl(2), F_SETLEASE). The kernel stops conmon inside open(2) until we have named this
segment and put the next one in place. If we die the lease is gone with us, and nobody waits for anybody;
the kernel never waits longer than /proc/sys/fs/lease-break-time.

Only small imports: this process may live long.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
import typing as t

from .log_segments import adopt, begun_segment, is_armed, logs_directory, segment

if t.TYPE_CHECKING:
    from ..paths import Paths

_DN_MULTISHOT = 0x80000000
_LONGEST_SLEEP = 30.0  # seconds; signals wake us up, this is in case one was missed
_LOOKUP_TIME = 0.05  # seconds that an open(2) may take from the name of a file to its lease
_WAKE = signal.SIGIO
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class LogKeeper:
    """Holds the next segment of every container that logs. `quiet` seconds without a full one end it; None:
    only when no container logs any more.
    """

    def __init__(self, paths: Paths, quiet: float | None) -> None:
        self._paths = paths
        self._quiet = quiet
        self._can_lease = _can_lease(paths.root)
        self._leases: dict[str, int] = {}
        """Descriptors of the empty segments that conmon will find, by container id."""

    def run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [_WAKE])
        with contextlib.ExitStack() as stack:
            self._watch(stack, logs_directory(self._paths), fcntl.DN_CREATE | fcntl.DN_RENAME)
            self._watch(stack, self._paths.container_run(""), fcntl.DN_DELETE | fcntl.DN_CREATE)
            stack.callback(self._let_go_of_all)
            last = time.monotonic()
            while True:
                if self._look_after_all():
                    last = time.monotonic()
                if self._is_done(last):
                    return
                signal.sigtimedwait([_WAKE], _LONGEST_SLEEP if self._quiet is None else self._quiet)

    def _watch(self, stack: contextlib.ExitStack, directory: str, events: int) -> None:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, fd)
        fcntl.fcntl(fd, fcntl.F_NOTIFY, events | _DN_MULTISHOT)

    def _is_done(self, last: float) -> bool:
        if self._quiet is None:
            return not os.listdir(self._paths.container_run(""))
        return time.monotonic() - last >= self._quiet

    def _look_after_all(self) -> bool:
        """Was there anything to do?"""
        worked = False
        for container_id in list(self._leases):
            if not _is_whole(self._leases[container_id]):
                self._next(container_id)
                worked = True
            elif not is_armed(self._paths, container_id):
                self._let_go(container_id)
        for container_id in os.listdir(logs_directory(self._paths)):
            if container_id not in self._leases:
                worked |= self._take(container_id)
        for container_id in self._armed():
            self._place(container_id)
        return worked

    def _armed(self) -> list[str]:
        """Containers that log, and whose next segment nobody holds. Where systemd watches, only those that
        flood.
        """
        if self._quiet is not None:
            return []
        names = os.listdir(self._paths.container_run(""))
        return [name for name in names if name not in self._leases and is_armed(self._paths, name)]

    def _take(self, container_id: str) -> bool:
        """A segment is there that we do not hold: conmon has begun it, or a keeper has died."""
        try:
            fd = os.open(begun_segment(self._paths, container_id), _READ)
        except FileNotFoundError:
            return False
        if os.fstat(fd).st_size == 0 and is_armed(self._paths, container_id) and _lease(fd):
            self._leases[container_id] = fd
            return False
        os.close(fd)
        adopt(self._paths, container_id, empty=True)
        if is_armed(self._paths, container_id):
            self._place(container_id)
        return True

    def _place(self, container_id: str) -> None:
        """Put an empty segment where conmon will look for its next one, and hold it."""
        if not self._can_lease:
            return
        try:
            fd = os.open(begun_segment(self._paths, container_id), _READ | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        if _lease(fd):
            self._leases[container_id] = fd
        else:
            os.close(fd)  # conmon was faster, and has begun it: the next look takes it

    def _next(self, container_id: str) -> None:
        """conmon stands before the segment that we hold: name it, put the next one in place, then let
        conmon in.
        """
        fd = self._leases.pop(container_id)
        adopt(self._paths, container_id, empty=True)
        if is_armed(self._paths, container_id):
            self._place(container_id)
        _release(fd)

    def _let_go(self, container_id: str) -> None:
        """Take the empty segment away. conmon may have looked its name up a moment ago: then the lease
        tells.
        """
        fd = self._leases.pop(container_id)
        aside = f"{segment(self._paths, container_id)}.next"
        begun = begun_segment(self._paths, container_id)
        try:
            os.rename(begun, aside)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(begun)  # the container was removed
            return _release(fd)
        time.sleep(_LOOKUP_TIME)
        if _is_whole(fd):
            os.unlink(aside)
        else:
            os.rename(aside, begun)
            adopt(self._paths, container_id, empty=True)
        return _release(fd)

    def _let_go_of_all(self) -> None:
        for container_id in list(self._leases):
            self._let_go(container_id)


def _lease(fd: int) -> bool:
    """Have the kernel stop whoever opens the file to write. False: somebody has it open already, or the file
    system knows no leases.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        return True
    except OSError:
        return False


def _is_whole(fd: int) -> bool:
    """Does nobody want to write to the file on which we hold a lease?"""
    return fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK


def _release(fd: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os.close(fd)


def _can_lease(directory: str) -> bool:
    path = os.path.join(directory, f".lease-{os.getpid()}")
    fd = os.open(path, _READ | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        return _lease(fd)
    finally:
        os.close(fd)
        os.unlink(path)
