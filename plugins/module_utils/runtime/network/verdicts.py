# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a packet in chains of rules, as far as that can be said.

A rule applies, or does not, or perhaps (None): it asks for what is not known of the packet. So there may be
more than one end. Source: nft(8), VERDICT STATEMENTS.
"""

from __future__ import annotations

import typing as t

from .packets import Packet

ACCEPT, DROP, CONTINUE, RETURN, JUMP, GOTO = "accept", "drop", "continue", "return", "jump", "goto"

Chain = t.Union[str, int]  # a name, or a place


class Verdict(t.NamedTuple):
    kind: str
    chain: Chain = ""


Judgement = tuple[t.Optional[bool], Verdict]
"""Does the rule apply, and what happens then?"""


class Rule(t.Protocol):
    def judge(self, packet: Packet) -> Judgement: ...


class Walk:
    """One packet through the chains of a table. A rule leaves the packet as it is, so what a chain does with
    it is the same from wherever it comes.
    """

    def __init__(self, packet: Packet, rules_of: t.Callable[[Chain], t.Sequence[Rule]]) -> None:
        self._packet = packet
        self._rules_of = rules_of
        self._known: dict[Chain, tuple[frozenset[str], bool]] = {}

    def ends(self, chain: Chain, policy: str) -> frozenset[str]:
        """ACCEPT, DROP, or both, where either may be."""
        ends, passes = self._through(chain)
        return ends | {policy} if passes else ends

    def _through(self, chain: Chain) -> tuple[frozenset[str], bool]:
        """The ends of packets in there, and whether it may come out of it."""
        if chain not in self._known:
            self._known[chain] = (frozenset(), True)  # loops are refused by the kernel
            self._known[chain] = self._rule_by_rule(chain)
        return self._known[chain]

    def _rule_by_rule(self, chain: Chain) -> tuple[frozenset[str], bool]:
        ends: frozenset[str] = frozenset()
        returns = False
        for rule in self._rules_of(chain):
            applies, verdict = rule.judge(self._packet)
            if applies is False or verdict.kind == CONTINUE:
                continue
            goes_on = applies is None
            if verdict.kind in (ACCEPT, DROP):
                ends |= {verdict.kind}
            elif verdict.kind == RETURN:
                returns = True
            else:
                inner, passes = self._through(verdict.chain)
                ends |= inner
                goes_on = goes_on or (passes and verdict.kind == JUMP)
                returns = returns or (passes and verdict.kind == GOTO)
            if not goes_on:
                return ends, returns
        return ends, True
