# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.moments import (
    comparable,
    parse_moment,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

NOW = 1_700_000_000 * 10**9  # 2023-11-14T22:13:20Z

UNDERSTOOD: list[tuple[t.Any, str]] = [
    ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20.000000000Z"),
    ("2023-11-14T22:13:20.5Z", "2023-11-14T22:13:20.500000000Z"),
    ("2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456789Z"),
    ("2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20.000000000Z"),
    ("2023-11-14 22:13Z", "2023-11-14T22:13:00.000000000Z"),
    ("2023-11-14Z", "2023-11-14T00:00:00.000000000Z"),
    (datetime.datetime(2023, 11, 14, 22, tzinfo=datetime.timezone.utc), "2023-11-14T22:00:00.000000000Z"),
    (1700000000, "2023-11-14T22:13:20.000000000Z"),
    ("1700000000.25", "2023-11-14T22:13:20.250000000Z"),
    ("10s", "2023-11-14T22:13:10.000000000Z"),
    ("1h30m", "2023-11-14T20:43:20.000000000Z"),
    ("1.5h", "2023-11-14T20:43:20.000000000Z"),
    ("24h", "2023-11-13T22:13:20.000000000Z"),
    ("999999h", "1970-01-01T00:00:00.000000000Z"),
]
NOT = ["", "yesterday", "10x", "2023-13-01Z", "2023-11-14T25:00Z", True, "-5m", "2023-11-14T22:13:20ZZ"]


@pytest.mark.parametrize(("value", "moment"), UNDERSTOOD)
def test_understood(value: t.Any, moment: str) -> None:
    assert parse_moment(value, "until", NOW) == moment


@pytest.mark.parametrize("value", NOT)
def test_refused(value: t.Any) -> None:
    with pytest.raises(InvalidInput, match="until: "):
        parse_moment(value, "until", NOW)


def test_a_time_without_zone_is_the_host_s_own() -> None:
    here = datetime.datetime(2023, 11, 14, 12).astimezone(datetime.timezone.utc)
    assert parse_moment("2023-11-14T12:00", "until") == here.strftime("%Y-%m-%dT%H:%M:%S.000000000Z")


def test_times_of_images_compare() -> None:
    assert comparable("2023-11-14T22:13:20+00:00") == comparable("2023-11-14T22:13:20Z")
    assert comparable("") == comparable("last week") == comparable("2023-02-30T00:00:00Z") == ""
