# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing gets into a ruleset unchecked."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import ruleset

INJECTED = 'x" ; flush ruleset ; #'


@pytest.mark.parametrize(
    ("piece", "value"),
    [
        (ruleset.words, "accept; flush ruleset"),
        (ruleset.words, "accept\ndrop"),
        (ruleset.words, 'comment "x"'),
        (ruleset.interface, INJECTED),
        (ruleset.interface, "eth*"),
        (ruleset.interface, "eth\\0"),
        (ruleset.interface, "eth 0"),
        (ruleset.interface, "eth0\n"),
        (ruleset.interface, "wlän0"),
        (ruleset.interface, ""),
        (ruleset.interface, "sixteen-letters0"),
        (ruleset.chain, "a b"),
        (ruleset.chain, INJECTED),
        (ruleset.ip, "10.0.0.1; drop"),
        (ruleset.ip, "10.0.0.1/24"),
        (ruleset.subnet, "10.0.0.0/8 accept"),
        (ruleset.subnet, "10.0.0.1/8"),
        (ruleset.protocol, "icmp"),
        (ruleset.port, 0),
        (ruleset.port, 65536),
        (ruleset.port, True),
        (ruleset.port, "80"),
        (ruleset.Table, "coracle; }"),
        (ruleset.Table, "filter"),
        (ruleset.removal, "theirs"),
    ],
)
def test_what_is_not_what_it_claims_to_be_is_refused(piece: t.Callable[[t.Any], t.Any], value: t.Any) -> None:
    with pytest.raises(ValueError):
        piece(value)


@pytest.mark.parametrize("name", ["eth0", "a+b", "br-lan.5", "x@y", "if(1)", "$x", "sixteen-letters"])
def test_odd_names_of_interfaces_are_quoted(name: str) -> None:
    assert ruleset.is_interface(name)
    assert ruleset.interface(name) == f'"{name}"'


def table(port: int) -> ruleset.Ruleset:
    made = ruleset.Table("coracle")
    made.chain("ports")
    made.rule("ports", ruleset.words("tcp dport"), ruleset.port(port), ruleset.words("accept"))
    return made.finished()


def test_the_fingerprint_stands_for_the_whole_text() -> None:
    assert table(80) == table(80)
    assert table(80).fingerprint != table(81).fingerprint
    assert f"chain {table(80).fingerprint} {{".encode() in table(80).text


def test_the_text_replaces_the_table_in_one_transaction() -> None:
    text = table(80).text.decode()
    assert text.startswith("add table inet coracle\ndelete table inet coracle\ntable inet coracle {")
    assert table(80).rules == 1
