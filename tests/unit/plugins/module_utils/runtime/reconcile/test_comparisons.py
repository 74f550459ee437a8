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
    ("option", "then", "now", "whole"),
    [
        ("env", {"A": "1", "B": "2"}, {"A": "3"}, {"A": "3", "B": "2"}),
        ("labels", {"b": "1"}, {"a": "1"}, {"a": "1", "b": "1"}),
        ("tmpfs", {"/b": ""}, {"/a": "size=1m"}, {"/a": "size=1m", "/b": ""}),
        ("capabilities", ["CHOWN", "KILL"], ["FOWNER"], ["CHOWN", "FOWNER", "KILL"]),
        ("ulimits", ["core:1:1", "nofile:90:90"], ["nofile:80:80"], ["core:1:1", "nofile:80:80"]),
        ("volumes", ["a:/a", "b:/b"], ["c:/b"], ["a:/a", "c:/b"]),
        ("devices", ["/dev/null:/dev/b"], ["/dev/null:/dev/a"], ["/dev/null:/dev/a", "/dev/null:/dev/b"]),
        ("published_ports", ["9:90", "8:80"], ["7:70"], ["9:90", "8:80", "7:70"]),
        ("exposed_ports", ["90", "100"], ["80"], ["90", "100", "80"]),
        ("links", ["b:b", "c:x"], ["a:a"], ["a:a", "b:b", "c:x"]),
        ("networks", [{"name": "a"}], [{"name": "b"}], [{"name": "b"}, {"name": "a"}]),
        (
            "device_read_bps",
            [{"path": "/dev/b", "rate": "1m"}],
            [{"path": "/dev/a", "rate": "1m"}],
            [{"path": "/dev/a", "rate": "1m"}, {"path": "/dev/b", "rate": "1m"}],
        ),
        ("command", ["a", "b"], ["c"], ["c"]),
    ],
)
def test_more_stays_when_the_rest_changes(option: str, then: t.Any, now: t.Any, whole: t.Any) -> None:
    """In the normal form: asking strictly for all of it changes nothing."""
    one, other = described({option: then}), described({option: now})
    comparisons = parse_comparisons({option: "allow_more_present"}, "comparisons")
    merged = relaxed(one, other, comparisons)
    assert differences(one, merged) != []
    assert merged == described({option: whole})
    assert relaxed(merged, other, comparisons) == merged


def test_more_gives_way_to_what_is_mounted_at_the_same_place() -> None:
    one = described({"volumes": ["a:/a", "b:/b"]})
    other = described({"mounts": [{"source": "c", "target": "/b"}], "volumes": ["d:/d"]})
    merged = relaxed(one, other, {"volumes": "allow_more_present"})
    assert [item["target"] for item in merged.volumes or ()] == ["/a", "/d"]


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
