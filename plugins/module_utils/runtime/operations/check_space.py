# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Keep a part of the disk free: whoever fills it to the last byte takes every other program on the host down
with it.
"""

from __future__ import annotations

import errno
import os

from ..errors import StorageError
from ..linux.files import free_bytes
from ..paths import Paths

_SHARE = 0.03  # of the file system, as ostree's min-free-space-percent
_MOST = 256 << 20


def check_space(paths: Paths, needed: int = 0) -> None:
    """StorageError unless `needed` more bytes fit and the floor (3 %, at most 256 MiB) stays free."""
    free = free_bytes(paths.root)
    floor = _floor(paths.root)
    if free - floor >= needed:
        return
    wanted = f"{megabytes(needed)} are needed, " if needed else ""
    found = f"{megabytes(free)} are free, {megabytes(floor)} have to stay free"
    raise StorageError(
        f"not enough space in {paths.root}: {wanted}{found}",
        "free some space or put the state directory on a larger disk",
        errno=errno.ENOSPC,
    )


def megabytes(count: int) -> str:
    """`1.3 MB`, `128 MB`"""
    return f"{count / 1e6:.1f} MB" if count < 10_000_000 else f"{count / 1e6:.0f} MB"


def _floor(path: str) -> int:
    while True:
        try:
            found = os.statvfs(path)
        except FileNotFoundError:
            path = os.path.dirname(path) or "."
        else:
            return min(int(found.f_blocks * found.f_frsize * _SHARE), _MOST)
