# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a task may write as `ready`."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.ready import Ready, parse_ready
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "meant", "words"),
    [
        ({"tcp": {"port": 80}}, Ready(80), "port 80 answers"),
        ({"http": {"port": 80}, "interval": "500ms"}, Ready(80, "/", interval=0.5), "http port 80 answers /"),
        (
            {"http": {"port": 80, "path": "/a?b=c", "status": [204]}, "timeout": "1m", "exec": None},
            Ready(80, "/a?b=c", (204,), timeout=60.0),
            "http port 80 answers /a?b=c",
        ),
        ({"exec": ["true", "x"]}, Ready(arguments=("true", "x")), "true in it succeeds"),
    ],
)
def test_probes(written: t.Any, meant: Ready, words: str) -> None:
    assert parse_ready(written, "ready") == meant
    assert str(meant) == words


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("80", "is not a dictionary"),
        ({}, "is not one probe"),
        ({"tcp": {"port": 80}, "exec": ["true"]}, "is not one probe"),
        ({"tcp": {"port": 0}}, "ready: tcp: port: 0 is not between 1 and 65535"),
        ({"tcp": {"port": 70000}}, "is not between 1 and 65535"),
        ({"http": {"port": 80, "path": "health"}}, "is not the path of a page"),
        ({"http": {"port": 80, "path": "/a\r\nHost: x"}}, "is not the path of a page"),
        ({"http": {"port": 80, "path": "/" + "a" * 3000}}, "is too long"),
        ({"http": {"port": 80, "status": [42]}}, "is not between 100 and 599"),
        ({"exec": []}, "has nothing to run"),
        ({"exec": ["true"], "interval": "0"}, "is too short"),
        ({"exec": ["true"], "timeout": "soon"}, "is not a duration"),
    ],
)
def test_what_is_no_probe(written: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match="ready") as caught:
        parse_ready(written, "ready")
    assert problem in str(caught.value)
