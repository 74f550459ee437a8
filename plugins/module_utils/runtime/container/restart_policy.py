# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""When a container that has ended is started again, and after how long. Docker's rules.

    no               never
    on-failure[:n]   after an exit code other than 0, at most n times (0 or none: without end)
    always           always; after a reboot even if a user had stopped it
    unless-stopped   always, but not what a user had stopped

Between end and restart: 100 ms the first time, then twice as long each time up to a minute; a run of ten
seconds or more starts over. A start by a user forgets what was counted.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .config import ContainerConfig
    from .records import ContainerState, Exit

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 60.0
LONG_RUN = 10.0


def wants_restart(config: ContainerConfig, state: ContainerState, exit_: Exit) -> bool:
    """Shall this end be followed by a restart? A half of a replacement is in somebody else's hands."""
    if state.stopped_by_user or state.replaces is not None:
        return False
    if config.restart_policy == "on-failure":
        return exit_.code != 0 and (
            not config.restart_retries or state.restart_count < config.restart_retries
        )
    return config.restart_policy in ("always", "unless-stopped")


def next_pause(last: float, uptime: float) -> float:
    """Seconds to wait before the next restart, after a run of `uptime` seconds that had waited `last`
    seconds.
    """
    if last <= 0 or uptime >= LONG_RUN:
        return FIRST_PAUSE
    return min(2 * last, LONGEST_PAUSE)


def starts_at_boot(config: ContainerConfig, state: ContainerState) -> bool:
    """After a reboot. A container that nobody has ever started stays as it is."""
    if state.exit is None or state.replaces is not None or state.kept_since:
        return False
    if config.restart_policy == "unless-stopped":
        return not state.stopped_by_user
    return config.restart_policy == "always"
