# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Matches of iptables that nf_tables and the old tables share: does a packet match? None: perhaps.

Only those are read that stand in front of the rules of common firewalls. Sources: linux/netfilter/xt_*.h.
"""

from __future__ import annotations

import struct
import typing as t

from .packets import DNAT, INPUT, OUTPUT, TCP, UDP, Packet
from .verdicts import ACCEPT, CONTINUE, DROP

_STATE, _STATUS, _ALIAS = 1 << 0, 1 << 6, 1 << 13  # XT_CONNTRACK_STATE, _STATUS, _STATE_ALIAS
_STATE_DNAT = 1 << 7  # XT_CONNTRACK_STATE_DNAT
_UNICAST, _LOCAL = 1 << 1, 1 << 2  # XT_ADDRTYPE_*
_PORTS = struct.Struct("=4H")
_ENDS = {"REJECT": DROP, "QUEUE": ACCEPT, "NFQUEUE": ACCEPT}

Answer = t.Optional[bool]


def matches(packet: Packet, name: str, revision: int, data: bytes) -> Answer:
    reader = _READERS.get(name)
    try:
        return reader(packet, revision, data) if reader else None
    except (struct.error, IndexError):
        return None


def end_of(target: str) -> str:
    """What an extension does with the packet: most of them nothing that a firewall would be asked about."""
    return _ENDS.get(target, CONTINUE)


def all_of(answers: t.Iterable[Answer]) -> Answer:
    found = set(answers)
    return False if False in found else None if None in found else True


def _comment(_packet: Packet, _revision: int, _data: bytes) -> Answer:
    return True


def _foreign_protocol(_packet: Packet, _revision: int, _data: bytes) -> Answer:
    return False


def _conntrack(packet: Packet, revision: int, data: bytes) -> Answer:
    if revision < 1:
        return None
    flags, inverted = struct.unpack_from("=2H", data, 146)
    state, status = struct.unpack_from("=2B" if revision == 1 else "=2H", data, 150)
    answers: list[Answer] = []
    if flags & _STATE:
        bits = packet.state | (_STATE_DNAT if packet.status & DNAT else 0)
        answers.append(bool(bits & state) != bool(inverted & _STATE))
    if flags & _STATUS:
        answers.append(bool(packet.status & status) != bool(inverted & _STATUS))
    if flags & ~(_STATE | _STATUS | _ALIAS):
        answers.append(None)
    return all_of(answers)


def _state(packet: Packet, _revision: int, data: bytes) -> Answer:
    return bool(packet.state & struct.unpack_from("=I", data)[0])


def _addrtype(packet: Packet, revision: int, data: bytes) -> Answer:
    source, destination, flags = struct.unpack_from("=2HI", data)
    if revision < 1:
        flags = (1 if flags else 0) | (2 if struct.unpack_from("=I", data, 8)[0] else 0)
    answers: list[Answer] = [None] if flags & ~3 else []
    kinds = (_LOCAL if packet.hook == OUTPUT else _UNICAST, _LOCAL if packet.hook == INPUT else _UNICAST)
    for kind, wanted, inverted in zip(kinds, (source, destination), (flags & 1, flags & 2)):
        if wanted:
            answers.append(bool(kind & wanted) != bool(inverted))
    return all_of(answers)


def _ports(packet: Packet, data: bytes, inverted: int, protocol: int) -> Answer:
    if packet.protocol != protocol:
        return False
    first, last, first_to, last_to = _PORTS.unpack_from(data)
    return all_of(
        (
            _in_range(packet.source_port, first, last, bool(inverted & 1)),
            _in_range(packet.port, first_to, last_to, bool(inverted & 2)),
        )
    )


def _in_range(port: int, first: int, last: int, inverted: bool) -> Answer:
    if (first, last) == (0, 0xFFFF):
        return not inverted
    return (first <= port <= last) != inverted if port else None


def _tcp(packet: Packet, _revision: int, data: bytes) -> Answer:
    option, mask, _wanted, inverted = struct.unpack_from("=4B", data, _PORTS.size)
    return all_of((_ports(packet, data, inverted, TCP), None if option or mask else True))


def _udp(packet: Packet, _revision: int, data: bytes) -> Answer:
    return _ports(packet, data, data[_PORTS.size], UDP)


def _multiport(packet: Packet, revision: int, data: bytes) -> Answer:
    kind, count = data[0], data[1]
    if revision != 1 or kind != 1 or not packet.port:  # 1: ports of the destination
        return None
    ports = struct.unpack_from("=15H", data, 2)[:count]
    ranges = data[32:47]
    found, at = False, 0
    while at < count:
        last = ports[at + 1] if ranges[at] else ports[at]
        found = found or ports[at] <= packet.port <= last
        at += 2 if ranges[at] else 1
    return found != bool(data[47])


_READERS: dict[str, t.Callable[[Packet, int, bytes], Answer]] = {
    "addrtype": _addrtype,
    "comment": _comment,
    "conntrack": _conntrack,
    "icmp": _foreign_protocol,
    "icmp6": _foreign_protocol,
    "multiport": _multiport,
    "state": _state,
    "tcp": _tcp,
    "udp": _udp,
}
