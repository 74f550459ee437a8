# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.prune_filters import (
    matches,
    parse_filters,
)

THEN = "2026-01-01T00:00:00.000000000Z"

ADMITTED: list[tuple[dict[str, t.Any], dict[str, str], bool]] = [
    ({}, {}, True),
    ({"label": "a"}, {"a": ""}, True),
    ({"label": "a"}, {"b": "a"}, False),
    ({"label": "a=1"}, {"a": "1"}, True),
    ({"label": "a=1"}, {"a": "2"}, False),
    ({"label": "a="}, {"a": "2"}, False),
    ({"label": ["a", "b=1"]}, {"a": "", "b": "1"}, True),
    ({"label": ["a", "b=1"]}, {"a": ""}, False),
    ({"label!": "a"}, {"b": ""}, True),
    ({"label!": "a=1"}, {"a": "2"}, True),
    ({"label!": ["x", "a"]}, {"a": ""}, False),
    ({"until": "2026-01-01T00:00:01Z"}, {}, True),
    ({"until": "2026-01-01T00:00:00Z"}, {}, False),
    ({"until": ["2026-01-01T00:00:01Z", "2025-01-01T00:00:00Z"]}, {}, False),
]


@pytest.mark.parametrize(("given", "labels", "admitted"), ADMITTED)
def test_what_may_go(given: dict[str, t.Any], labels: dict[str, str], admitted: bool) -> None:
    assert parse_filters("containers", given, "filters").admit(labels, THEN) is admitted


def test_what_has_no_age_stays() -> None:
    assert not parse_filters("images", {"until": "1s"}, "filters").admit({}, "")


@pytest.mark.parametrize(
    ("value", "dangling"), [(False, False), ("false", False), ([True, "0"], False), (1, True)]
)
def test_booleans_as_ansible_has_them(value: t.Any, dangling: bool) -> None:
    assert parse_filters("images", {"dangling": value}, "filters").dangling is dangling
    assert parse_filters("images", {}, "filters").dangling is None


def test_what_is_not_understood() -> None:
    for kind, given in (
        ("volumes", {"dangling": True}),
        ("images", {"dangling": "maybe"}),
        ("containers", {"until": "soon"}),
        ("containers", {"label": {"a": "b"}}),
    ):
        with pytest.raises(InvalidInput, match="filters: "):
            parse_filters(kind, given, "filters")


def test_patterns() -> None:
    assert matches(["web*"], ["web-1"])
    assert matches(["a", "registry.example.com/*:1"], ["registry.example.com/team/app:1"])
    assert not matches(["web"], ["web-1"])
    assert not matches([], ["web"])
