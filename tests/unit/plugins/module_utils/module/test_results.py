# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of a plan: `changed` follows from the steps, the diff from the differences."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.results import result_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.differences import (
    LIVE,
    Difference,
    describe_all,
    shown,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.steps import Plan, Step


class Audience(list[str]):
    """An engine, as far as these steps know it."""

    def take_warnings(self) -> list[str]:
        return [f"heard {self[-1]}"] if self[-1] == "c" else []


@dataclasses.dataclass
class Say(Step):
    what: str
    facts: dict[str, t.Any] | None = None

    def describe(self) -> str:
        return f"say {self.what}"

    def execute(self, engine: t.Any) -> dict[str, t.Any] | None:
        engine.append(self.what)
        return self.facts


def test_nothing_to_do_is_no_change() -> None:
    assert result_of(Plan(), before={"exists": True}, after={"exists": True}) == {
        "changed": False,
        "actions": [],
        "differences": [],
        "diff": {"before": {"exists": True}, "after": {"exists": True}},
    }


def test_steps_differences_and_facts() -> None:
    plan = Plan(
        [Say("a"), Say("b")],
        [Difference("memory", "64m", "1g"), Difference("labels", {}, {"a": "b"}, "why", LIVE)],
    )
    result = result_of(plan, before={"running": True}, after={"running": False}, image="x")
    assert (result["changed"], result["actions"], result["image"]) == (True, ["say a", "say b"], "x")
    assert result["diff"]["before"] == {"memory": "64m", "labels": {}, "running": True}
    assert result["diff"]["after"] == {"memory": "1g", "labels": {"a": "b"}, "running": False}
    assert result["differences"][0] == {
        "field": "memory",
        "before": "64m",
        "after": "1g",
        "reason": "memory is 64m, should be 1g",
        "how": "recreate",
    }
    assert describe_all(plan.differences) == "memory is 64m, should be 1g; why"


def test_facts_of_steps_are_merged_and_their_warnings_kept() -> None:
    said = Audience()
    plan = Plan(
        [Say("a", {"status": 1, "warnings": ["one"]}), Say("b"), Say("c", {"status": 2, "warnings": ["two"]})]
    )
    assert plan.execute(said) == {"status": 2, "warnings": ["one", "two", "heard c"]}  # type: ignore[arg-type]
    assert said == ["a", "b", "c"]


def test_the_first_error_ends_it() -> None:
    class Fail(Say):
        def execute(self, engine: t.Any) -> None:
            raise OSError("no")

    said = Audience()
    with pytest.raises(CoracleError, match="no"):
        Plan([Say("a"), Fail("b"), Say("c")]).execute(said)  # type: ignore[arg-type]
    assert said == ["a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        (True, "true"),
        ("", '""'),
        ("two\nlines", "two lines"),
        (["a", 1], '["a", 1]'),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_values_in_a_sentence(value: t.Any, text: str) -> None:
    assert shown(value) == text
