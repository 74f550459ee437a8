# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a control group has used, and those below it, with one face for v1, hybrid and v2.

                     v1                                            v2
    cpu              cpuacct.usage                                 cpu.stat: usage_usec
    memory           memory.usage_in_bytes                         memory.current
    inactive file    memory.stat: total_inactive_file              memory.stat: inactive_file
    memory limit     memory.stat: hierarchical_memory_limit        memory.max of it and those above
    block devices    blkio.throttle.io_service_bytes_recursive     io.stat: rbytes, wbytes
    processes        pids.current                                  pids.current

A hybrid host has each controller in one of both places. Source: Documentation/admin-guide/cgroup-v1/,
cgroup-v2.rst of the kernel.
"""

from __future__ import annotations

import errno
import os
import typing as t

from .cgroups import CgroupLayout, layout

_UNLIMITED = 1 << 60
"""v1 writes the largest multiple of a page for `no limit`."""


class GroupUsage(t.NamedTuple):
    """`cpu`: nanoseconds. Sizes: bytes. `inactive_file`: part of `memory` that the kernel can take back at
    once. `memory_limit`: 0 where there is none. `processes`: threads count.
    """

    cpu: int
    memory: int
    inactive_file: int
    memory_limit: int
    block_read: int
    block_written: int
    processes: int


def group_usage(relative_path: str, at: CgroupLayout | None = None) -> GroupUsage | None:
    """None when there is no such group (any more). What the host has no controller for is 0."""
    at = at or layout()
    if not any(os.path.isdir(os.path.join(hierarchy, relative_path)) for hierarchy in at.hierarchies):
        return None
    places = {
        name: _Place(mount_point, relative_path, mount_point == at.unified)
        for name, mount_point in at.controllers.items()
    }
    nowhere = _Place("", "", True)
    read, written = _block_bytes(places.get("io") or places.get("blkio") or nowhere)
    return GroupUsage(
        cpu=_cpu(places.get("cpuacct") or places.get("cpu") or _unified(at, relative_path)),
        **_memory(places.get("memory") or nowhere),
        block_read=read,
        block_written=written,
        processes=(places.get("pids") or nowhere).number("pids.current"),
    )


class _Place(t.NamedTuple):
    """A group in one hierarchy. What is not there says nothing: no words, the number 0."""

    mount_point: str
    path: str
    is_v2: bool

    def text(self, file: str) -> str:
        if not self.mount_point:
            return ""
        try:
            with open(os.path.join(self.mount_point, self.path, file), encoding="ascii") as opened:
                return opened.read()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                return ""
            raise

    def number(self, file: str) -> int:
        text = self.text(file).strip()
        return int(text) if text.isdigit() else 0

    def table(self, file: str) -> dict[str, int]:
        """Of a file of `key number` lines."""
        pairs = (line.split() for line in self.text(file).splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _unified(at: CgroupLayout, relative_path: str) -> _Place:
    """`cpu.stat` is in every v2 group, with the controller or without it."""
    return _Place(at.unified or "", relative_path, True)


def _cpu(place: _Place) -> int:
    if place.is_v2:
        return place.table("cpu.stat").get("usage_usec", 0) * 1000
    return place.number("cpuacct.usage")


def _memory(place: _Place) -> dict[str, int]:
    table = place.table("memory.stat")
    if place.is_v2:
        return {
            "memory": place.number("memory.current"),
            "inactive_file": table.get("inactive_file", 0),
            "memory_limit": _smallest_limit(place),
        }
    limit = table.get("hierarchical_memory_limit", 0)
    return {
        "memory": place.number("memory.usage_in_bytes"),
        "inactive_file": table.get("total_inactive_file", table.get("inactive_file", 0)),
        "memory_limit": 0 if limit >= _UNLIMITED else limit,
    }


def _smallest_limit(place: _Place) -> int:
    """A group cannot have more than the one above it."""
    names = place.path.split("/")
    above = (place._replace(path="/".join(names[:depth])) for depth in range(len(names), 0, -1))
    limits = [limit for limit in (group.number("memory.max") for group in above) if limit]
    return min(limits, default=0)


def _block_bytes(place: _Place) -> tuple[int, int]:
    if place.is_v2:
        words = place.text("io.stat").split()
        return _sum(words, "rbytes="), _sum(words, "wbytes=")
    for file in ("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"):
        rows = [row for row in map(str.split, place.text(file).splitlines()) if len(row) == 3]
        if rows:
            return _moved(rows, "Read"), _moved(rows, "Write")
    return 0, 0


def _sum(words: t.Iterable[str], key: str) -> int:
    return sum(int(word[len(key) :]) for word in words if word.startswith(key))


def _moved(rows: t.Iterable[t.Sequence[str]], way: str) -> int:
    """Of rows `major:minor way bytes`."""
    return sum(int(row[2]) for row in rows if row[1] == way)
