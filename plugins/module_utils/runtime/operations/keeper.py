# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A process of ours that stays while there is something to look after, at most one of each kind.

    <run root>/<name>    its process id; it holds a flock on this file while it works

SIGIO wakes it: there is something new to look at. It ends by itself when nothing is left.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
import typing as t

from ..linux import cgroups
from ..linux.locks import would_wait
from ..linux.processes import ProcessIdentity, identity, signal_process, wait_until_gone

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..paths import Paths

LOGS, HEALTH = "log-keeper", "health-keeper"

_END_TIMEOUT = 5.0
_ATTEMPTS, _PAUSE = 5, 0.01


def find_keeper(paths: Paths, name: str) -> ProcessIdentity | None:
    """Whoever holds the flock, if anybody does."""
    if not would_wait(_file(paths, name), fcntl.LOCK_EX):
        return None
    with open(_file(paths, name), encoding="ascii") as file:
        pid = file.read(16)
    return identity(int(pid)) if pid.isdigit() else None


def wake_keeper(paths: Paths, name: str) -> bool:
    """False: there is none."""
    keeper = find_keeper(paths, name)
    if keeper is not None:
        signal_process(keeper, signal.SIGIO)
    return keeper is not None


def wait_for_keepers(engine: Engine) -> None:
    """When no container runs any more they end by themselves; return when they have."""
    for name in (LOGS, HEALTH):
        keeper = find_keeper(engine.paths, name)
        if keeper is not None and keeper.pid != os.getpid():
            signal_process(keeper, signal.SIGIO)
            wait_until_gone(keeper, _END_TIMEOUT)


def keep(engine: Engine, name: str, work: t.Callable[[], None], is_done: t.Callable[[], bool]) -> None:
    """Do the work in a process in the background, unless somebody does it, again and again until nothing is
    left: whoever has begun something while we were ending has seen us alive, and relies on us.
    """
    fd = _become(engine.paths, name)
    if fd is None:
        return
    cgroups.take_over(os.getpid(), f"{engine.paths.cgroup_parent}/conmon")
    child = os.fork()
    if child:
        _write_pid(fd, child)
        return
    while fd is not None:
        work()
        os.close(fd)
        if is_done():
            return
        fd = _become(engine.paths, name)
        if fd is not None:
            _write_pid(fd, os.getpid())


def _become(paths: Paths, name: str) -> int | None:
    """The descriptor with the flock, which a forked child shares; None: somebody else has it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    fd = os.open(_file(paths, name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    for _attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            time.sleep(_PAUSE)  # somebody may only be looking whether there is a keeper
    os.close(fd)
    return None


def _write_pid(fd: int, pid: int) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(pid).encode(), 0)


def _file(paths: Paths, name: str) -> str:
    return os.path.join(paths.run_root, name)
