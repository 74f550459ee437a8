# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""When the last container has ended: nothing of ours is left in the kernel."""

from __future__ import annotations

import os
import time
import typing as t

from ..errors import CleanupFailed
from ..linux import cgroups

if t.TYPE_CHECKING:
    from ..engine import Engine

_LEAVING_TIMEOUT = 10.0  # seconds; whoever is still in the group only has to end
_PAUSE = 0.01


def clear_idle_host(engine: Engine) -> None:
    """Remove the control groups that all containers share, if none needs them; what is in use stays.

    No lock is needed: a group with a process cannot be removed, and whoever starts a container makes what
    is missing.
    """
    from .keeper import wait_for_keepers

    if not is_idle(engine):
        return
    wait_for_keepers(engine)
    for group in (f"{engine.paths.cgroup_parent}/conmon", engine.paths.cgroup_parent):
        try:
            cgroups.remove(group)
        except CleanupFailed:
            return


def clear_idle_host_from_inside(engine: Engine) -> None:
    """The same for a process that sits in the group that has to go: it leaves first, and waits for the others
    in there, its parent perhaps, which are about to end.
    """
    if not is_idle(engine):
        return
    cgroups.leave(os.getpid())
    deadline = time.monotonic() + _LEAVING_TIMEOUT
    while cgroups.processes(engine.paths.cgroup_parent) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    clear_idle_host(engine)


def clear_idle_host_later(engine: Engine) -> None:
    """The same for the exit handler: conmon waits for it, so a child does it."""
    if not is_idle(engine) or os.fork():
        return
    try:
        clear_idle_host_from_inside(engine)
    finally:
        os._exit(0)


def is_idle(engine: Engine) -> bool:
    """Does no container of this engine have a run?"""
    try:
        return not os.listdir(engine.paths.container_run(""))
    except FileNotFoundError:
        return True
