# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How much one layer may ask of the host. Generous for real images, final for bombs."""

from __future__ import annotations

import typing as t

HEADER_LIMIT = 1 << 20  # bytes of one extended header, and of one sparse map
PATH_LIMIT = 4095  # bytes of a path after symbolic links: what a process could still name (PATH_MAX)


class Limits(t.NamedTuple):
    """Counts and bytes.

    entries       names in the layer
    bytes         sizes of all its files together
    file_bytes    size of one file
    ratio         bytes out of the decompressor for each byte in, once more than `ratio_free` have come out
    free_bytes    what has to stay free on the file system
    memory        address space that the unpacking process may add to what it was forked with
    """

    entries: int = 1_000_000
    bytes: int = 1 << 40
    file_bytes: int = 1 << 40
    ratio: int = 100
    ratio_free: int = 4 << 30
    free_bytes: int = 16 << 20
    memory: int = 192 << 20


DEFAULT = Limits()
