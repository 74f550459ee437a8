# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The old tables of iptables, which some hosts still have beside, or instead of, nf_tables.

Sources: linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h, linux/netfilter/x_tables.h.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import typing as t

from ..linux.syscalls import getsockopt
from .packets import Packet
from .verdicts import ACCEPT, CONTINUE, DROP, GOTO, JUMP, RETURN, Chain, Judgement, Verdict
from .xt_matches import Answer, all_of, end_of, matches

_NAMES = {4: "/proc/thread-self/net/ip_tables_names", 6: "/proc/thread-self/net/ip6_tables_names"}
_LEVELS = {4: (socket.AF_INET, socket.IPPROTO_IP), 6: (socket.AF_INET6, socket.IPPROTO_IPV6)}
_GET_INFO, _GET_ENTRIES = 64, 65
_INFO = struct.Struct("=32s13I")
_ENTRIES_AT = 40
_HOOKS = {"input": 1, "forward": 2, "output": 3}
_EXTENSION = struct.Struct("=H29sB")
_STANDARD = {-1: DROP, -2: ACCEPT, -4: ACCEPT, -5: RETURN}
_GO_TO = {4: 0x02, 6: 0x04}  # IPT_F_GOTO, IP6T_F_GOTO


class _Layout(t.NamedTuple):
    """Of an entry: offsets of what is at another place in the two versions."""

    address: int
    protocol: int
    flags: int
    target: int
    extensions: int

    @property
    def interfaces(self) -> int:
        return 4 * self.address


_LAYOUTS = {4: _Layout(4, 80, 82, 88, 112), 6: _Layout(16, 128, 131, 140, 168)}
_VIA_IN, _VIA_OUT, _SOURCE, _DESTINATION, _PROTOCOL = 0x01, 0x02, 0x08, 0x10, 0x40  # IPT_INV_*


class LegacyTable:
    """The table `filter` of one IP version. Chains are the places of their first rules."""

    def __init__(
        self, version: int, hooks: t.Sequence[int], underflows: t.Sequence[int], data: bytes
    ) -> None:
        self._version = version
        self._hooks = hooks
        self._underflows = underflows
        self._data = data
        self.names = frozenset(_user_chains(data, _LAYOUTS[version]))

    def chain(self, hook: str) -> Chain:
        return self._hooks[_HOOKS[hook]]

    def accepts(self, hook: str) -> bool:
        """The policy: what the last entry of the chain does."""
        at = self._underflows[_HOOKS[hook]]
        return _Entry(self._version, self._data, at).verdict().kind == ACCEPT

    def is_empty(self, hook: str) -> bool:
        return self._hooks[_HOOKS[hook]] == self._underflows[_HOOKS[hook]]

    def rules_of(self, chain: Chain) -> list[_Entry]:
        """A chain ends with an entry that always applies; the policy is one."""
        rules = []
        at = int(chain)
        while at < len(self._data):
            entry = _Entry(self._version, self._data, at)
            if entry.begins_chain:
                break
            rules.append(entry)
            at += entry.length
            if at - entry.length in self._underflows:
                break
        return rules


def legacy_filter(version: int) -> LegacyTable | None:
    """None where nobody uses it: looking must not bring it into being."""
    try:
        with open(_NAMES[version], encoding="ascii") as file:
            if "filter" not in file.read().split():
                return None
    except OSError:
        return None
    family, level = _LEVELS[version]
    with socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as sock:
        info = getsockopt(sock.fileno(), level, _GET_INFO, b"filter".ljust(_INFO.size, b"\0"))
        values = _INFO.unpack(info)
        size = values[13]
        question = struct.pack("=32sI", b"filter", size).ljust(_ENTRIES_AT + size, b"\0")
        entries = getsockopt(sock.fileno(), level, _GET_ENTRIES, question)
    return LegacyTable(version, values[2:7], values[7:12], entries[_ENTRIES_AT:])


class _Entry:
    def __init__(self, version: int, data: bytes, at: int) -> None:
        self._version = version
        self._layout = _LAYOUTS[version]
        self._at = at
        self._target_at, self.length = struct.unpack_from("=HH", data, at + self._layout.target)
        self._data = data[at : at + self.length]

    @property
    def begins_chain(self) -> bool:
        return self._extension(self._target_at)[1] == "ERROR"

    def judge(self, packet: Packet) -> Judgement:
        applies = all_of((*self._plain(packet), *self._matches(packet)))
        return applies, self.verdict()

    def verdict(self) -> Verdict:
        _size, name, _revision, data = self._extension(self._target_at)
        if name:
            return Verdict(end_of(name))
        (code,) = struct.unpack_from("=i", data)
        if code < 0:
            return Verdict(_STANDARD.get(code, ACCEPT))
        if code == self._at + self.length:
            return Verdict(CONTINUE)
        goes = self._data[self._layout.flags] & _GO_TO[self._version]
        return Verdict(GOTO if goes else JUMP, code)

    def _matches(self, packet: Packet) -> t.Iterator[Answer]:
        at = self._layout.extensions
        while at < self._target_at:
            size, name, revision, data = self._extension(at)
            yield matches(packet, name, revision, data)
            at += size

    def _extension(self, at: int) -> tuple[int, str, int, bytes]:
        size, name, revision = _EXTENSION.unpack_from(self._data, at)
        return size, _name(name), revision, self._data[at + _EXTENSION.size : at + size]

    def _plain(self, packet: Packet) -> t.Iterator[Answer]:
        """What is in every rule: addresses, interfaces and the protocol."""
        layout = self._layout
        inverted = self._data[layout.flags + 1]
        for place, (address, bit) in enumerate(
            ((packet.source, _SOURCE), (packet.destination, _DESTINATION))
        ):
            yield self._address(address, place, bool(inverted & bit))
        for place, (name, bit) in enumerate(((packet.enters, _VIA_IN), (packet.leaves, _VIA_OUT))):
            yield self._interface(name, place, bool(inverted & bit))
        (protocol,) = struct.unpack_from("=H", self._data, layout.protocol)
        if protocol:
            yield (protocol == packet.protocol) != bool(inverted & _PROTOCOL)

    def _address(self, address: str, place: int, inverted: bool) -> Answer:
        size = self._layout.address
        wanted, mask = (
            int.from_bytes(self._data[at * size : (at + 1) * size], "big") for at in (place, place + 2)
        )
        if not mask:
            return not inverted
        if not address:
            return None
        return (int(ipaddress.ip_address(address)) & mask == wanted) != inverted

    def _interface(self, name: str, place: int, inverted: bool) -> Answer:
        at = self._layout.interfaces
        wanted, mask = (self._data[at + 16 * part : at + 16 * part + 16] for part in (place, place + 2))
        found = name.encode("utf-8", "surrogateescape").ljust(16, b"\0")
        same = all((one ^ other) & bits == 0 for one, other, bits in zip(wanted, found, mask))
        return same != inverted


def _user_chains(data: bytes, layout: _Layout) -> t.Iterator[str]:
    at = 0
    while at < len(data):
        target_at, length = struct.unpack_from("=HH", data, at + layout.target)
        _size, name, _revision = _EXTENSION.unpack_from(data, at + target_at)
        if _name(name) == "ERROR":
            yield _name(data[at + target_at + _EXTENSION.size : at + length])
        at += length


def _name(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("ascii", "replace")
