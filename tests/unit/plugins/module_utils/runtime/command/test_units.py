# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Times and sizes as go-units has them."""

from __future__ import annotations

import time

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command import units

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (MINUTE, "About a minute"),
        (119, "About a minute"),
        (2 * MINUTE, "2 minutes"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "About an hour"),
        (89 * MINUTE, "About an hour"),
        (90 * MINUTE, "2 hours"),
        (47 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert units.human_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "decimal", "binary"),
    [
        (0, "0B", "0B"),
        (906, "906B", "906B"),
        (1000, "1kB", "1000B"),
        (770048, "770kB", "752KiB"),
        (4430000, "4.43MB", "4.225MiB"),
        (13271450000, "13.3GB", "12.36GiB"),
    ],
)
def test_sizes(size: int, decimal: str, binary: str) -> None:
    assert units.human_size(size) == decimal
    assert units.binary_size(size) == binary


def test_times() -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime(time.time() - 3 * HOUR))
    assert units.ago(now) == "3 hours ago"
    assert units.ago("0001-01-01T00:00:00Z") == "N/A"
    assert units.ago("") == "N/A"
    assert units.seconds_of("1970-01-01T00:01:00.25Z") == 60.25
    assert units.local_time("nonsense") == "N/A"
