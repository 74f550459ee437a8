# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.unit_values import (
    parse_cgroup_parent,
    parse_requires,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


def test_names_are_a_set() -> None:
    assert parse_requires(["b", "a", "b"], "requires") == ["a", "b"]
    with pytest.raises(InvalidInput, match="requires: '-x' is not a container name"):
        parse_requires(["-x"], "requires")


@pytest.mark.parametrize(
    ("text", "normal"),
    [("/a/b", "a/b"), ("a//b/./", "a/b"), ("/machine.slice", "machine.slice"), ("", None), (" ", None)],
)
def test_control_groups(text: str, normal: str | None) -> None:
    assert parse_cgroup_parent(text, "cgroup_parent") == normal


@pytest.mark.parametrize("text", ["/", "../x", "a/../b", "a/cgroup.procs", "x" * 201])
def test_what_is_no_control_group(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not the path of a control group"):
        parse_cgroup_parent(text, "cgroup_parent")
