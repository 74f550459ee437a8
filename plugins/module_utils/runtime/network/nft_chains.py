# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's chains of nf_tables, whoever made them, and their rules, read without starting a program.

Sources: linux/netfilter/{nfnetlink,nf_tables}.h.
"""

from __future__ import annotations

import struct
import typing as t

from ..linux.netlink import Netlink, Request
from .nftables import GETCHAIN, GETRULE, GETSET, GETSETELEM

HEADER = 20  # of netlink and of nfnetlink
FAMILIES = {1: "inet", 2: "ip", 10: "ip6"}
_HOOKS = {1: "input", 2: "forward", 3: "output"}
_ATTRIBUTE = struct.Struct("=HH")
_NESTED_OR_ORDER = 0x3FFF


class BaseChain(t.NamedTuple):
    """Where packets come by. `accepts`: what the chain says nothing about may pass."""

    family: str
    table: str
    name: str
    hook: str
    accepts: bool
    is_empty: bool

    def concerns(self, version: int) -> bool:
        return self.family == "inet" or self.family == ("ip" if version == 4 else "ip6")


class Chains(t.NamedTuple):
    """`filters`: those that may stop packets on their way through, into and out of the host; `names`: all of
    a table, also those that packets only get to from others.
    """

    filters: tuple[BaseChain, ...]
    names: t.Mapping[tuple[str, str], frozenset[str]]


def list_chains(netlink: Netlink) -> Chains:
    filters: list[BaseChain] = []
    names: dict[tuple[str, str], set[str]] = {}
    for message in netlink.dump(GETCHAIN, bytes(4)):
        family = FAMILIES.get(message[16])
        if family is None:
            continue
        found = attributes(message, HEADER)
        table, name = text(found[1]), text(found[3])
        names.setdefault((family, table), set()).add(name)
        if 4 in found and text(found.get(7, b"")) == "filter":
            hook = _HOOKS.get(number(attributes(found[4])[1]))
            if hook:
                accepts = number(found[5]) != 0 if 5 in found else True
                filters.append(BaseChain(family, table, name, hook, accepts, number(found[6]) == 0))
    return Chains(tuple(filters), {key: frozenset(value) for key, value in names.items()})


class KernelRule(t.NamedTuple):
    """`expressions`: name and attributes of each, in order. `comment`: what its maker has written on it."""

    handle: int
    expressions: tuple[tuple[str, t.Mapping[int, bytes]], ...]
    comment: str


class Element(t.NamedTuple):
    """Of a set or a map. `closes`: a range ends before it."""

    key: bytes
    key_end: bytes
    closes: bool
    catches_all: bool
    data: t.Mapping[int, bytes]


class Contents(t.NamedTuple):
    elements: t.Sequence[Element]
    has_ranges: bool
    is_concatenated: bool


def list_rules(netlink: Netlink, family: str, table: str, chain: str) -> list[KernelRule]:
    body = _header(family) + named(1, table) + named(2, chain)
    rules = []
    for message in netlink.dump(GETRULE, body):
        found = attributes(message, HEADER)
        if text(found[2]) == chain:  # older kernels show all of the table
            expressions = tuple(_expression(data) for data in elements(found.get(4, b"")))
            handle = int.from_bytes(found[3], "big")
            rules.append(KernelRule(handle, expressions, _comment(found.get(7, b""))))
    return rules


def list_elements(netlink: Netlink, family: str, table: str, name: str) -> Contents:
    body = _header(family) + named(1, table) + named(2, name)
    [message] = netlink.get(Request(GETSET, 0, body))
    flags = number(attributes(message, HEADER).get(3, bytes(4)))
    found = []
    for message in netlink.dump(GETSETELEM, body):
        for data in elements(attributes(message, HEADER).get(3, b"")):
            found.append(_element(attributes(data)))
    return Contents(found, bool(flags & 0x4), bool(flags & 0x80))


def _expression(data: bytes) -> tuple[str, t.Mapping[int, bytes]]:
    found = attributes(data)
    return text(found[1]), attributes(found.get(2, b""))


def _element(found: t.Mapping[int, bytes]) -> Element:
    flags = number(found.get(3, bytes(4)))
    key, key_end = (attributes(found.get(kind, b"")).get(1, b"") for kind in (1, 10))
    return Element(key, key_end, bool(flags & 1), bool(flags & 2), attributes(found.get(2, b"")))


def _comment(data: bytes) -> str:
    """libnftnl/udata.h: one byte kind, one byte length."""
    at = 0
    while at + 2 <= len(data):
        kind, length = data[at], data[at + 1]
        if kind == 0:
            return text(data[at + 2 : at + 2 + length])
        at += 2 + length
    return ""


def _header(family: str) -> bytes:
    number_of = {name: value for value, name in FAMILIES.items()}
    return struct.pack(">BBH", number_of[family], 0, 0)


# Attributes


def attributes(data: bytes, at: int = 0) -> dict[int, bytes]:
    found = {}
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        found[kind & _NESTED_OR_ORDER] = data[at + 4 : at + length]
        at += max((length + 3) & ~3, 4)
    return found


def elements(data: bytes) -> t.Iterator[bytes]:
    """Of a list, whose members all have one kind."""
    at = 0
    while at + 4 <= len(data):
        length, _kind = _ATTRIBUTE.unpack_from(data, at)
        yield data[at + 4 : at + length]
        at += max((length + 3) & ~3, 4)


def named(kind: int, name: str) -> bytes:
    value = name.encode("utf-8", "surrogateescape") + b"\0"
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")
