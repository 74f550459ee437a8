# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whoever runs from an installed version keeps it: a shared flock on its archive, until the process ends.

What is imported later has to come from where the first part came from, whatever is installed meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import sys

ARCHIVE = "coracle.pyz"


def hold_own_version() -> None:
    """For whoever may have been started from an archive."""
    archive = os.path.join(os.path.dirname(sys.path[0]), ARCHIVE)
    if os.path.isfile(archive):
        hold(archive)


def hold(archive: str) -> int:
    """Keep this version while the descriptor is open."""
    fd = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def is_held(archive: str) -> bool:
    from ..linux.locks import would_wait

    return would_wait(archive, fcntl.LOCK_EX)
