# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the options of container_info mean, and those of container_logs."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.log_results import read_query, text_of
from ansible_collections.coracle.engine.plugins.module_utils.module.look_options import (
    LOOK,
    check_look,
    read_filters,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_lines import LogLine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.select_containers import (
    Filters,
)

NOTHING: dict[str, t.Any] = dict.fromkeys(("tail", "since", "until", "stream", "grep"))


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("web", "web", True),
        ("web", "web-1", False),
        ("web", "myweb", False),
        ("web*", "web-1", True),
        ("*web", "myweb", True),
        ("web-?", "web-1", True),
        ("web.1", "web-1", False),
        ("[ab]*", "blog", True),
        ("WEB", "web", False),
    ],
)
def test_names_are_patterns_for_the_whole_name(pattern: str, name: str, fits: bool) -> None:
    [compiled] = read_filters({"name": [pattern]}).names
    assert bool(compiled.search(name)) is fits


def test_no_filters() -> None:
    assert read_filters(None) == read_filters({}) == read_filters({"name": None}) == Filters(names=[])


@pytest.mark.parametrize(
    "wrong",
    [{"stats_interval": -1.0}, {"stats_interval": 5000.0}, {"stats_interval": float("nan")}, {"logs": -1}],
)
def test_what_makes_no_sense(wrong: dict[str, t.Any]) -> None:
    defaults = {name: option.get("default") for name, option in LOOK.options.items()}
    check_look(defaults)
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        check_look({**defaults, **wrong})


def test_query() -> None:
    query = read_query({**NOTHING, "since": "2026-11-24T13:00:00+01:00", "grep": "é|x", "tail": 3})
    assert (query.since, query.tail) == ("2026-11-24T12:00:00.000000000Z", 3)
    assert query.pattern is not None
    assert query.pattern.search("caf\u00e9".encode())


@pytest.mark.parametrize("wrong", [{"tail": -1}, {"since": "x"}, {"until": "x"}, {"grep": "("}])
def test_query_that_makes_no_sense(wrong: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        read_query({**NOTHING, **wrong})


def test_text() -> None:
    line = LogLine("2026-11-24T12:00:00.000000000Z", "stdout", b"a\xff\r")
    assert text_of(line) == "a\ufffd\r"
    assert text_of(line, tty=True, timestamps=True) == "2026-11-24T12:00:00.000000000Z a\ufffd"
