# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Text for `nft -f -`, made of checked pieces only.

`Nft` is text that is known to be harmless in a ruleset. This file alone makes it, out of words without any
character that could end a rule, and of addresses, ports, protocols and names of interfaces that are what they
claim to be. mypy refuses any other text wherever `Nft` is asked for. Source: nft(8).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t

Nft = t.NewType("Nft", str)

_WORDS = r"[a-z0-9][a-z0-9 ._!=,-]*"
_TABLE = r"coracle(-[0-9a-f]{8})?"
_CHAIN = r"[a-z]+(-[a-z0-9]+)*"
_INTERFACE = r"[!#-)+-.0-\[\]-~]{1,15}"
_PROTOCOLS = ("tcp", "udp", "sctp")


def words(text: str) -> Nft:
    """Keywords and numbers, as they stand in nft(8)."""
    return _checked(text, _WORDS)


def rule(*parts: Nft) -> Nft:
    return Nft(" ".join(parts))


def ip(address: str) -> Nft:
    return Nft(str(ipaddress.ip_address(address)))


def subnet(text: str) -> Nft:
    return Nft(str(ipaddress.ip_network(text)))


def port(number: t.Any) -> Nft:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
        raise ValueError(f"{number!r} is no port")
    return Nft(str(number))


def protocol(name: str) -> Nft:
    if name not in _PROTOCOLS:
        raise ValueError(f"{name!r} is no protocol of a published port")
    return Nft(name)


def interface(name: str) -> Nft:
    """At most 15 printable characters. Between quotation marks all of them stand for themselves, but for the
    mark itself, a backslash, and a star, which nft would take for many names.
    """
    return Nft(f'"{_checked(name, _INTERFACE)}"')


def is_interface(name: str) -> bool:
    """Can the name stand in a ruleset?"""
    return re.fullmatch(_INTERFACE, name, re.ASCII) is not None


def chain(name: str) -> Nft:
    return _checked(name, _CHAIN)


def jump(name: str) -> Nft:
    return Nft(f"jump {chain(name)}")


def one_of(elements: t.Iterable[Nft]) -> Nft:
    return Nft("{ " + ", ".join(elements) + " }")


def concatenated(*parts: Nft) -> Nft:
    return Nft(" . ".join(parts))


def leading(key: Nft, to: Nft) -> Nft:
    """An element of a map."""
    return Nft(f"{key} : {to}")


def lookup(name: str) -> Nft:
    return Nft(f"map @{chain(name)}")


class Ruleset(t.NamedTuple):
    """`text` replaces the table, whatever was there, in one transaction. `fingerprint` is the name of one of
    its chains: where that chain is, with so many rules in the table, this is the table.
    """

    table: str
    text: bytes
    fingerprint: str
    rules: int


class Table:
    """A table under construction."""

    def __init__(self, name: str) -> None:
        self.name = _checked(name, _TABLE)
        self._maps: list[str] = []
        self._chains: dict[str, list[str]] = {}
        self._rules = 0

    def base_chain(self, name: str, kind: str, hook: str, priority: int) -> None:
        self.chain(name)
        place = words(f"type {kind} hook {hook} priority")
        self._chains[name].append(f"{place} {int(priority)}; policy accept;")

    def chain(self, name: str) -> None:
        self._chains[chain(name)] = []

    def map(self, name: str, key: Nft, value: Nft, elements: t.Iterable[Nft]) -> None:
        self._maps.append(f"map {chain(name)} {{\n type {key} : {value}\n elements = {one_of(elements)}\n}}")

    def rule(self, where: str, *parts: Nft) -> None:
        self._chains[where].append(rule(*parts))
        self._rules += 1

    def finished(self) -> Ruleset:
        chains = ["\n ".join([f"chain {name} {{", *lines]) + "\n}" for name, lines in self._chains.items()]
        body = "\n".join([*self._maps, *chains])
        fingerprint = "is-" + hashlib.sha256(body.encode("ascii")).hexdigest()[:32]
        text = f"{removal(self.name)}table inet {self.name} {{\n{body}\nchain {fingerprint} {{\n}}\n}}\n"
        return Ruleset(self.name, text.encode("ascii"), fingerprint, self._rules)


def removal(table: str) -> Nft:
    """Takes a table away, whether it is there or not."""
    name = _checked(table, _TABLE)
    return Nft(f"add table inet {name}\ndelete table inet {name}\n")


def _checked(text: str, pattern: str) -> Nft:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError(f"{text!r} must not get into a ruleset")
    return Nft(text)
