# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Percentages and sums. Real containers: tests/integration/container/test_use.py."""

from __future__ import annotations

import os

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.stats import (
    Sample,
    Traffic,
    first_sample,
    read_traffic,
    stats_of,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.cgroup_usage import GroupUsage

NET_DEV = """\
Inter-|   Receive                                               |  Transmit
 face |bytes  packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier
    lo:    8400   100    0    0    0     0          0         0    8400   100    0    0    0     0       0
  eth0: 1000126 11013    0    0    0     0          0         0   42476    16    0    0    0     0       0
  eth1:      10     1    0    0    0     0          0         0      20     1    0    0    0     0       0
"""
USAGE = GroupUsage(
    cpu=5 * 10**9,
    memory=30 << 20,
    inactive_file=10 << 20,
    memory_limit=100 << 20,
    block_read=1,
    block_written=2,
    processes=3,
)


def test_traffic_is_that_of_all_interfaces_but_the_loopback() -> None:
    assert read_traffic(NET_DEV) == Traffic(1000136, 42496)
    assert read_traffic("") == Traffic(0, 0)


def test_shares() -> None:
    before = Sample(USAGE._replace(cpu=2 * 10**9), Traffic(), 100.0)
    found = stats_of(Sample(USAGE, Traffic(5, 6), 102.0), before)
    assert (found["CPU"], found["Interval"]) == (150.0, 2.0)
    assert (found["MemUsage"], found["MemLimit"], found["MemPerc"]) == (20 << 20, 100 << 20, 20.0)
    assert (found["NetInput"], found["NetOutput"], found["PIDs"]) == (5, 6, 3)


def test_no_time_between_two_looks() -> None:
    sample = Sample(USAGE, Traffic(), 100.0)
    assert stats_of(sample, sample)["CPU"] == 0


def test_limit_larger_than_the_host() -> None:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in (0, 1 << 50):
        sample = Sample(USAGE._replace(memory_limit=limit), Traffic(), 100.0)
        assert stats_of(sample, sample)["MemLimit"] == total


def test_first_sample_is_the_beginning_of_the_program() -> None:
    first = first_sample(os.getpid(), Sample(USAGE, Traffic(), 1e9))
    assert 0 < first.at < 1e9
    assert first.usage.cpu == 0
