# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Processes: who they are and whether they live; and the run of the machine they belong to.

A PID alone is never believed: it is a name that the kernel gives again. `ProcessIdentity` adds the start
time, and signals go through a pidfd. A zombie has ended: it counts as gone.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import time
import typing as t

from . import syscalls


class ProcessIdentity(t.NamedTuple):
    """`start_time` in clock ticks after boot: field 22 of /proc/<pid>/stat."""

    pid: int
    start_time: int


def identity(pid: int) -> ProcessIdentity | None:
    """Who has this PID now; None when nobody has, or only a zombie.

    A zombie with threads is alive: its first thread has ended, the others run, and hold what it has open.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in (b"Z", b"X") and int(fields[17]) <= 1:
        return None
    return ProcessIdentity(pid, int(fields[19]))


def is_alive(process: ProcessIdentity) -> bool:
    return identity(process.pid) == process


def open_pidfd(process: ProcessIdentity) -> int | None:
    """A descriptor of exactly this process, readable when it ends; None when it is gone."""
    try:
        pidfd = syscalls.pidfd_open(process.pid)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return None
        raise
    if is_alive(process):
        return pidfd
    os.close(pidfd)
    return None


def signal_process(process: ProcessIdentity, signum: int) -> bool:
    """Send a signal to exactly this process; False when it is gone."""
    pidfd = open_pidfd(process)
    if pidfd is None:
        return False
    try:
        syscalls.pidfd_send_signal(pidfd, signum)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)


def wait_until_gone(process: ProcessIdentity, timeout: float) -> bool:
    """Wait at most `timeout` seconds for the process to end; False when it is still there."""
    pidfd = open_pidfd(process)
    if pidfd is None:
        return True
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(max(0, timeout * 1000)))
    finally:
        os.close(pidfd)


# The machine


@functools.cache
def boot_id() -> str:
    """A name of this run of the machine; another one after every reboot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def now() -> str:
    """The time as Docker writes it: RFC 3339 in UTC with nanoseconds. Sorts as text."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
