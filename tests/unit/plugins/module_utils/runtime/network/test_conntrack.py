# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""When the kernel's connections are looked at, and what of an entry tells it from others."""

from __future__ import annotations

import ipaddress
import socket
import struct
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import conntrack
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.conntrack import Agreed

WEB = ["tcp", "0.0.0.0", 80, "10.1.0.2", 8080]
OTHER = ["tcp", "0.0.0.0", 81, "10.1.0.3", 80]
DNS = ["udp", "0.0.0.0", 53, "10.1.0.4", 53]
SUBNET, ANOTHER = "10.1.0.0/16", "10.2.0.0/16"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (([], [SUBNET]), ([WEB], [SUBNET]), False),
        (([WEB], [SUBNET]), ([OTHER, WEB], [SUBNET]), False),
        (([WEB], [ANOTHER, SUBNET]), ([OTHER, WEB], [SUBNET]), False),
        (([WEB], [SUBNET]), ([WEB], [ANOTHER, SUBNET]), True),
        (([WEB], [SUBNET]), ([], [SUBNET]), True),
        (([WEB], [SUBNET]), ([[*WEB[:3], "10.1.0.3", 8080]], [SUBNET]), True),
        (([WEB], [SUBNET]), ([[*WEB[:4], 8081]], [SUBNET]), True),
        (([WEB], [SUBNET]), ([WEB, ["tcp", "192.0.2.1", 80, "10.1.0.3", 8080]], [SUBNET]), True),
        (([WEB], [SUBNET]), ([WEB, ["sctp", "192.0.2.1", 80, "10.1.0.3", 8080]], [SUBNET]), False),
        (([WEB], [SUBNET]), ([DNS, WEB], [SUBNET]), True),
        (([DNS], [SUBNET]), ([DNS], [SUBNET]), True),
        (([WEB], [SUBNET], ["10.1.0.9"]), ([WEB], [SUBNET], ["10.1.0.9"]), False),
        (([WEB], [SUBNET], ["10.1.0.9"]), ([WEB], [SUBNET]), True),
    ],
)
def test_what_may_leave_a_connection_behind(before: t.Any, now: t.Any, expected: bool) -> None:
    assert conntrack.may_contradict(Agreed(*before), Agreed(*now)) is expected


def entry(
    version: int, asked: str, answers: str, *, client: int = 1, protocol: int = 6, zone: int = 0
) -> bytes:
    """As ctnetlink writes it; `asked` and `answers` are `address port`."""
    away = ipaddress.ip_address(("10.9.0.1", "fd00::1")[version == 6])
    ends = [(ipaddress.ip_address(address), int(port)) for address, port in (asked.split(), answers.split())]
    tuples = [(1, (away, client), ends[0]), (2, ends[1], (away, client))]
    body = b"".join(
        conntrack._nested(number, _ends(version, protocol, source, target))
        for number, source, target in tuples
    )
    body += conntrack._attribute(18, struct.pack(">H", zone)) if zone else b""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    return bytes(16) + struct.pack(">BBH", family, 0, 0) + body


def _ends(version: int, protocol: int, source: t.Any, target: t.Any) -> bytes:
    kinds = (3, 4) if version == 6 else (1, 2)
    addresses = b"".join(
        conntrack._attribute(kind, end[0].packed) for kind, end in zip(kinds, (source, target))
    )
    numbers = conntrack._attribute(1, bytes([protocol])) + b"".join(
        conntrack._attribute(kind, struct.pack(">H", end[1])) for kind, end in zip((2, 3), (source, target))
    )
    return conntrack._nested(1, addresses) + conntrack._nested(2, numbers)


@pytest.mark.parametrize(
    ("version", "asked", "answers"),
    [(4, "192.0.2.1 80", "10.1.0.2 8080"), (6, "2001:db8::1 80", "fd01::2 8080")],
)
def test_entries_that_differ_in_their_clients_only_are_one(version: int, asked: str, answers: str) -> None:
    alike = {conntrack._distinction(entry(version, asked, answers, client=port)) for port in (1, 2, 3)}
    assert len(alike) == 1
    others = [
        entry(version, f"{asked}1", answers),
        entry(version, asked, answers.replace("8080", "8081")),
        entry(version, asked.replace("1 ", "2 "), answers),
        entry(version, asked, answers.replace("2 ", "3 ")),
        entry(version, asked, answers, protocol=17),
    ]
    assert len(alike | set(map(conntrack._distinction, others))) == 6
    found = conntrack._connection(entry(version, asked, answers))
    assert found == ("tcp", (asked.split()[0], 80), (answers.split()[0], 8080))


def test_an_entry_that_looks_otherwise_is_a_case_of_its_own() -> None:
    message = entry(4, "192.0.2.1 80", "10.1.0.2 8080")
    longer = message[:20] + struct.pack("=H", 60) + message[22:]
    assert conntrack._distinction(longer) == longer
