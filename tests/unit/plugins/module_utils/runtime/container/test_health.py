# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.health import (
    HEALTHY,
    STARTING,
    UNHEALTHY,
    Health,
    HealthCheck,
    check_of,
    healthcheck_of,
    parse_healthcheck,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import ContainerRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig

SECOND = 10**9


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ({}, None),
        ({"test": None}, None),
        ({"test": []}, None),
        ({"test": "true"}, {"test": ["CMD-SHELL", "true"]}),
        ({"test": ["CMD-SHELL", "a b"]}, {"test": ["CMD-SHELL", "a b"]}),
        ({"test": ["CMD", "a", "b"]}, {"test": ["CMD", "a", "b"]}),
        ({"test": ["a", "b"]}, {"test": ["CMD", "a", "b"]}),
        ({"test": "NONE", "interval": "1s"}, {"test": ["NONE"]}),
        ({"test": ["NONE"], "test_cli_compatible": True}, {"test": ["NONE"]}),
        ({"interval": "1m30s", "retries": "0"}, {"interval": 90 * SECOND}),
        (
            {"start_period": 5, "start_interval": "500ms"},
            {"start_period": 5 * SECOND, "start_interval": SECOND // 2},
        ),
    ],
)
def test_one_form(given: dict[str, t.Any], normal: dict[str, t.Any] | None) -> None:
    assert parse_healthcheck(given, "healthcheck") == normal
    if normal is not None:
        assert parse_healthcheck(normal, "healthcheck") == normal


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("true", "is not a dictionary"),
        ({"tst": "x"}, "'tst' is unknown"),
        ({"test": ["CMD"]}, "has nothing to run"),
        ({"test": ["CMD-SHELL", "a", "b"]}, "more than one text for the shell"),
        ({"interval": "soon"}, "healthcheck: interval: 'soon' is not a duration"),
        ({"interval": "1us"}, "is too short"),
        ({"retries": -1}, "is less than|is not between"),
    ],
)
def test_mistakes(given: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_healthcheck(given, "healthcheck")


def record(asked: dict[str, t.Any] | None, image: dict[str, t.Any] | None) -> ContainerRecord:
    return ContainerRecord(
        "a" * 64, "web", "", "", ImageConfig(healthcheck=image), ContainerConfig(healthcheck=asked), ""
    )


def test_what_is_not_asked_is_the_images() -> None:
    image = {"Test": ["CMD-SHELL", "x"], "Interval": 5 * SECOND, "Retries": 7}
    assert check_of(record(None, None)) is None
    assert check_of(record({"interval": SECOND}, None)) is None
    assert check_of(record(None, image)) == HealthCheck(("/bin/sh", "-c", "x"), interval=5.0, retries=7)
    assert check_of(record({"retries": 2}, image)) == HealthCheck(
        ("/bin/sh", "-c", "x"), interval=5.0, retries=2
    )
    assert check_of(record({"test": ["NONE"]}, image)) is None
    assert healthcheck_of(ContainerConfig(healthcheck={"test": ["CMD", "y"]}), image) == {
        **image,
        "Test": ["CMD", "y"],
    }


def test_how_a_container_fares() -> None:
    check = HealthCheck(("x",), retries=2)

    def after(health: Health, code: int, in_start_period: bool = False) -> Health:
        return health.after(
            {"ExitCode": code, "Output": f"said {code}\n"}, check, in_start_period=in_start_period
        )

    new = Health()
    assert (after(new, 1, True).status, after(new, 1, True).failing_streak) == (STARTING, 0)
    failed = after(new, 1)
    assert (failed.status, failed.failing_streak) == (STARTING, 1)
    assert after(failed, 1).status == UNHEALTHY
    well = after(failed, 0)
    assert (well.status, well.failing_streak) == (HEALTHY, 0)
    assert after(well, 1, True).failing_streak == 1  # the first success ends the start period
    assert after(well, 1).status == HEALTHY
    assert after(after(well, 1), 1).status == UNHEALTHY
    for _number in range(9):
        well = after(well, 0)
    assert len(well.log) == 5
    assert well.last_output == "said 0"
