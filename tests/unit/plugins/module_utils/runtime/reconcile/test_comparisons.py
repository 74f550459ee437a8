# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.comparisons import (
    parse_comparisons,
    relaxed,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
    differences,
)

Options = dict[str, t.Any]


@pytest.mark.parametrize(
    ("then", "now", "comparisons", "different"),
    [
        ({"env": {"A": "1", "B": "2"}}, {"env": {"A": "1"}}, {"env": "allow_more_present"}, []),
        ({"env": {"A": "1", "B": "2"}}, {"env": {"A": "2"}}, {"env": "allow_more_present"}, ["env"]),
        ({"env": {"A": "1", "B": "2"}}, {}, {"env": "allow_more_present"}, []),
        ({"env": {"A": "1"}}, {"env": {"A": "1"}, "user": "app"}, {"env": "allow_more_present"}, ["user"]),
        ({"labels": {"a": "1"}}, {}, {"*": "strict"}, ["labels"]),
        ({"labels": {"a": "1"}, "user": "app"}, {"user": "root"}, {"*": "ignore"}, []),
        (
            {"labels": {"a": "1"}, "user": "app"},
            {"user": "root"},
            {"*": "ignore", "user": "strict"},
            ["user"],
        ),
        (
            {"capabilities": ["CHOWN", "KILL"]},
            {"capabilities": ["KILL"]},
            {"capabilities": "allow_more_present"},
            [],
        ),
        ({"command": ["a", "b", "c"]}, {"command": ["a", "c"]}, {"command": "allow_more_present"}, []),
        (
            {"command": ["a", "b", "c"]},
            {"command": ["c", "a"]},
            {"command": "allow_more_present"},
            ["command"],
        ),
        (
            {"published_ports": ["80:80", "81:81"]},
            {"published_ports": ["81:81"]},
            {"published_ports": "allow_more_present"},
            [],
        ),
        ({"memory": "64m"}, {"memory": "1g"}, {"memory": "ignore"}, []),
    ],
)
def test_what_counts(then: Options, now: Options, comparisons: dict[str, str], different: list[str]) -> None:
    one, other = described(then), described(now)
    found = differences(one, relaxed(one, other, parse_comparisons(comparisons, "comparisons")))
    assert [difference.field for difference in found] == different


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("env", "is not a dictionary"),
        ({"pull": "ignore"}, "'pull' is not an option that describes a container"),
        ({"memory": "allow_more_present"}, "'allow_more_present' is not possible .write strict or ignore"),
        ({"*": "allow_more_present"}, "is not possible"),
        ({"env": "more"}, "write strict or ignore or allow_more_present"),
    ],
)
def test_mistakes(given: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_comparisons(given, "comparisons")
