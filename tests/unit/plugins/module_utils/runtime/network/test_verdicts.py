# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.nft_chains import (
    Contents,
    Element,
    KernelRule,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.nft_rules import NftRule
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.packets import FORWARD, Packet
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.verdicts import (
    ACCEPT,
    CONTINUE,
    DROP,
    GOTO,
    JUMP,
    RETURN,
    Judgement,
    Verdict,
    Walk,
)

PACKET = Packet(4, FORWARD, "eth0", "cor-1")


class Rule:
    def __init__(self, applies: bool | None, kind: str, chain: str = "") -> None:
        self._judgement: Judgement = (applies, Verdict(kind, chain))

    def judge(self, packet: Packet) -> Judgement:
        return self._judgement


CHAINS = {
    "drops": [Rule(True, DROP)],
    "may drop": [Rule(None, DROP)],
    "returns": [Rule(True, RETURN), Rule(True, ACCEPT)],
    "may return": [Rule(None, RETURN), Rule(True, ACCEPT)],
    "empty": [],
    "loop": [Rule(True, JUMP, "loop"), Rule(True, DROP)],
}


@pytest.mark.parametrize(
    ("rules", "ends"),
    [
        ([], {"policy"}),
        ([Rule(False, ACCEPT), Rule(True, CONTINUE)], {"policy"}),
        ([Rule(True, ACCEPT), Rule(True, DROP)], {ACCEPT}),
        ([Rule(None, ACCEPT), Rule(True, DROP)], {ACCEPT, DROP}),
        ([Rule(True, JUMP, "drops"), Rule(True, ACCEPT)], {DROP}),
        ([Rule(None, JUMP, "drops"), Rule(True, ACCEPT)], {ACCEPT, DROP}),
        ([Rule(True, JUMP, "may drop"), Rule(True, ACCEPT)], {ACCEPT, DROP}),
        ([Rule(True, JUMP, "returns"), Rule(True, DROP)], {DROP}),
        ([Rule(True, JUMP, "may return"), Rule(True, DROP)], {ACCEPT, DROP}),
        ([Rule(True, GOTO, "empty"), Rule(True, ACCEPT)], {"policy"}),
        ([Rule(True, GOTO, "drops"), Rule(True, ACCEPT)], {DROP}),
        ([Rule(True, JUMP, "loop"), Rule(True, ACCEPT)], {DROP}),
    ],
)
def test_ends(rules: list[Rule], ends: set[str]) -> None:
    chains = {**CHAINS, "base": rules}
    assert Walk(PACKET, lambda chain: chains[str(chain)]).ends("base", "policy") == ends


def test_a_rule_that_cannot_be_read_may_do_anything() -> None:
    broken = KernelRule(1, (("cmp", {1: b"\0\0\0\1"}),), "")
    assert NftRule(broken, lambda name: Contents((), False, False)).judge(PACKET) == (None, Verdict(ACCEPT))


@pytest.mark.parametrize(("name", "applies"), [("eth0", True), ("eth1", False)])
def test_a_name_in_a_set(name: str, applies: bool) -> None:
    element = Element(name.encode().ljust(16, b"\0"), b"", False, False, {})
    meta = ("meta", {1: b"\0\0\0\1", 2: b"\0\0\0\6"})
    lookup = ("lookup", {1: b"names\0", 2: b"\0\0\0\1"})
    rule = NftRule(KernelRule(1, (meta, lookup), ""), lambda _name: Contents([element], False, False))
    assert rule.judge(PACKET) == (applies, Verdict(CONTINUE))
