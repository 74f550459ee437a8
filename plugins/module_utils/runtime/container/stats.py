# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a running container uses, counted as `docker stats` counts it.

Processor time is a share of one processor over an interval: two of them busy are 200 %. Memory leaves out
the part of the page cache that nobody has used for long (`inactive_file`), and its limit is the host's where
there is none. The network is all interfaces of the container but `lo`; one that uses the network of the host
has none of its own. Source: docker/cli, cli/command/container/stats_helpers.go; the names are those of
`podman stats`, which has numbers where Docker has texts.
"""

from __future__ import annotations

import os
import time
import typing as t

from ..linux.cgroup_usage import GroupUsage, group_usage
from .attachments import network_mode
from .status import group_of

if t.TYPE_CHECKING:
    from ..linux.cgroups import CgroupLayout
    from ..paths import Paths
    from .records import ContainerRecord
    from .status import Status


class Traffic(t.NamedTuple):
    """Bytes."""

    received: int = 0
    sent: int = 0


class Sample(t.NamedTuple):
    """`at`: seconds on the clock of `/proc`, which begins with the machine and goes on while it sleeps."""

    usage: GroupUsage
    traffic: Traffic
    at: float


def take_sample(
    paths: Paths, record: ContainerRecord, status: Status, at: CgroupLayout | None = None
) -> Sample | None:
    """None for a container that does not run, or not any more."""
    if not status.alive or not status.pid:
        return None
    usage = group_usage(group_of(paths, record), at)
    if usage is None:
        return None
    shares_host = network_mode(record.config) == "host"
    traffic = Traffic() if shares_host else _traffic(status.pid)
    return Sample(usage, traffic, time.clock_gettime(time.CLOCK_BOOTTIME))


def first_sample(pid: int, sample: Sample) -> Sample:
    """What stood there when the container's program began: nothing. For an average over its whole life."""
    nothing = GroupUsage(0, 0, 0, 0, 0, 0, 0)
    return Sample(nothing, Traffic(), _start_of(pid) or sample.at)


def stats_of(sample: Sample, before: Sample) -> dict[str, t.Any]:
    """Sizes are bytes, `CPU` and `MemPerc` percent, `Interval` the seconds that `CPU` is the average of."""
    usage = sample.usage
    memory = max(0, usage.memory - usage.inactive_file)
    limit = memory_limit(usage)
    interval = sample.at - before.at
    busy = (usage.cpu - before.usage.cpu) / 1e9
    return {
        "CPU": round(100 * max(0.0, busy) / interval, 2) if interval > 0 else 0.0,
        "CPUNano": usage.cpu,
        "MemUsage": memory,
        "MemLimit": limit,
        "MemPerc": round(100 * memory / limit, 2) if limit else 0.0,
        "NetInput": sample.traffic.received,
        "NetOutput": sample.traffic.sent,
        "BlockInput": usage.block_read,
        "BlockOutput": usage.block_written,
        "PIDs": usage.processes,
        "Interval": round(max(0.0, interval), 3),
    }


def memory_limit(usage: GroupUsage) -> int:
    """That of the container, or all memory of the host."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(usage.memory_limit or total, total)


def _traffic(pid: int) -> Traffic:
    """Of the interfaces that the process sees. Source: proc_pid_net(5), `net/dev`."""
    try:
        with open(f"/proc/{pid}/net/dev", encoding="ascii", errors="replace") as file:
            return read_traffic(file.read())
    except (FileNotFoundError, ProcessLookupError, OSError):
        return Traffic()


def read_traffic(text: str) -> Traffic:
    """The sums over the lines of a `net/dev`, `lo` left out; the first two lines are headings."""
    received = sent = 0
    for line in text.splitlines()[2:]:
        name, _colon, numbers = line.partition(":")
        fields = numbers.split()
        if name.strip() != "lo" and len(fields) >= 9:
            received += int(fields[0])
            sent += int(fields[8])
    return Traffic(received, sent)


def _start_of(pid: int) -> float | None:
    """Seconds after boot. Source: proc_pid_stat(5), field 22."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK")
