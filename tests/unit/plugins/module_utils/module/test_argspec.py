# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Argument specs merge: nothing is lost and nobody's spec is changed."""

from __future__ import annotations

from ansible_collections.coracle.engine.plugins.module_utils.module.argspec import ROOTS, ArgumentSpec

ONE = ArgumentSpec(
    {"a": {"type": "str"}, "b": {"type": "int"}},
    mutually_exclusive=[("a", "b")],
    required_by={"a": ("b",)},
)
OTHER = ArgumentSpec(
    {"b": {"type": "str"}, "c": {}},
    mutually_exclusive=[("b", "c")],
    required_if=[("b", "x", ("c",))],
    required_by={"c": ("a",)},
)


def test_options_and_rules_of_all() -> None:
    merged = ONE.merge(OTHER, ROOTS)
    assert list(merged.options) == ["a", "b", "c", "root", "run_root"]
    assert merged.options["b"] == {"type": "str"}
    assert merged.rules == {
        "mutually_exclusive": [("a", "b"), ("b", "c")],
        "required_if": [("b", "x", ("c",))],
        "required_by": {"a": ("b",), "c": ("a",)},
    }


def test_the_merged_ones_stay_as_they_are() -> None:
    before = (dict(ONE.options), dict(ONE.rules))
    ONE.merge(OTHER)
    assert (ONE.options, ONE.rules) == before


def test_no_rules_are_made_up() -> None:
    assert ROOTS.merge(ArgumentSpec({"a": {}})).rules == {}
