# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Sessions: a program and what it has started, as far as that has not begun a session of its own
(setsid(2)). Only the part that is in one control group is ever touched.
"""

from __future__ import annotations

import signal
import time

from . import cgroups
from .processes import ProcessIdentity, identity, signal_process

_KILL_TIMEOUT = 5.0


def session_of(pid: int | None) -> int:
    """Field 6 of /proc/<pid>/stat, 0 where there is no such process. The kernel gives the number to nobody
    else while somebody is in it.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[3])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def members_of(cgroup: str, session: int) -> list[ProcessIdentity]:
    """Living processes of the group that are in the session; none in session 0, which is that of others."""
    living = [process for process in map(identity, cgroups.processes(cgroup)) if process]
    return [process for process in living if session and session_of(process.pid) == session]


def kill_session(cgroup: str, program: int | None) -> None:
    """Kill a program of the group and whatever else there is in its session. As long as it lives: later
    nothing tells which session that was.
    """
    session = session_of(program) if program in cgroups.processes(cgroup) else 0
    deadline = time.monotonic() + _KILL_TIMEOUT
    while session and time.monotonic() < deadline:
        members = members_of(cgroup, session)
        if not members:
            return
        for process in members:
            signal_process(process, signal.SIGKILL)
