# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Somebody has changed the kernel's firewall, perhaps the engine itself: look whether anything of ours is
missing, and make it whole. Stays for some seconds, because changes come in bursts, and a process that waits
costs less than one that is started.
"""

from __future__ import annotations

import os
import select
import socket
import time
import typing as t

if t.TYPE_CHECKING:
    from ..engine import Engine

_FIRST_PASSED = 3  # SD_LISTEN_FDS_START
_QUIET = 2.0  # seconds without a change, after which nobody is waited for
_PAUSE = 0.1  # between two looks
_LONGEST = 60.0  # then the agent of the day takes over
_PIECE = 1 << 16


def guard_firewall(engine: Engine, said: t.Callable[[str], None]) -> None:
    """`said` gets what was missing, each time something was."""
    from .look_after_network import lost_firewall
    from .update_firewall import update_firewall

    changes = passed_socket()
    deadline = time.monotonic() + _LONGEST
    while True:
        _drain(changes)
        lost = lost_firewall(engine)
        if lost:
            update_firewall(engine)
            said(lost)
        if changes is None or time.monotonic() > deadline or not select.select([changes], [], [], _QUIET)[0]:
            return
        time.sleep(_PAUSE)


def passed_socket() -> socket.socket | None:
    """From systemd: sd_listen_fds(3). None where somebody has typed the verb."""
    if (os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS")) != (str(os.getpid()), "1"):
        return None
    passed = socket.socket(fileno=_FIRST_PASSED)
    passed.setblocking(False)
    return passed


def _drain(changes: socket.socket | None) -> None:
    """What has changed is not of interest: the look comes after it."""
    while changes is not None:
        try:
            changes.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:  # ENOBUFS: some were lost, which is as good as read
            continue
