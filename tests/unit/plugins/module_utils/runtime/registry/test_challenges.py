# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.challenges import (
    Challenge,
    parse_challenges,
)


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="x"', [("basic", {"realm": "x"})]),
        ('BASIC Realm="a \\"quoted\\" word"', [("basic", {"realm": 'a "quoted" word'})]),
        (
            'Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.example/token",
                        "service": "r.example",
                        "scope": "repository:a/b:pull",
                    },
                )
            ],
        ),
        ("Bearer realm = x , service= y", [("bearer", {"realm": "x", "service": "y"})]),
        ('Basic realm="a", Bearer realm="b"', [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        ('Negotiate, Bearer realm="b"', [("negotiate", {}), ("bearer", {"realm": "b"})]),
        ('Negotiate YWJj==, Basic realm="b"', [("negotiate", {}), ("basic", {"realm": "b"})]),
        ('Bearer realm="a",realm="b"', [("bearer", {"realm": "a"})]),
        ('Bearer realm=""', [("bearer", {"realm": ""})]),
        ('Bearer realm="unfinished', [("bearer", {})]),
        ('realm="x"', []),
        (",,, Basic ,,", [("basic", {})]),
        ('Bearer error="invalid_token" realm="x"', [("bearer", {"error": "invalid_token", "realm": "x"})]),
    ],
)
def test_what_servers_ask(header: str, challenges: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges([header]) == [Challenge(*challenge) for challenge in challenges]


def test_several_headers() -> None:
    assert [challenge.scheme for challenge in parse_challenges(['Basic realm="a"', "Bearer"])] == [
        "basic",
        "bearer",
    ]


@given(st.lists(st.text(max_size=60) | st.text('Bearer=", \\x', max_size=60), max_size=3))
def test_any_header_is_read_without_harm(headers: list[str]) -> None:
    parse_challenges(headers)


@pytest.mark.parametrize(
    "header", ["a" * 65536, "a," * 32768, 'a="' + "\\\\" * 30000, 'B a="' + '\\"' * 30000, "a=" * 32000]
)
def test_long_headers_take_no_time(header: str) -> None:
    parse_challenges([header])
