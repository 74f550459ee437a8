# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Messages of rtnetlink: we write them as pyroute2 does, and read what we have written."""

from __future__ import annotations

import socket
import typing as t

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.rtnetlink import (
    ADDRESS,
    LINK,
    ROUTE,
    Layout,
    Message,
    Nest,
    encode,
)

PEERS = ((LINK, ifinfmsg), (ADDRESS, ifaddrmsg), (ROUTE, rtmsg))
MAC = "02:42:ac:11:00:02"
PEER = (("IFLA_IFNAME", "eth0"), ("IFLA_ADDRESS", MAC), ("IFLA_MTU", 1400), ("IFLA_NET_NS_FD", 7))

Case = tuple[Layout, dict[str, int], t.Sequence[tuple[str, t.Any]]]

CASES: dict[str, Case] = {
    "a look": (LINK, {}, [("IFLA_IFNAME", "br-0123456789ab")]),
    "up": (LINK, {"index": 5, "flags": 1, "change": 1}, [("IFLA_IFNAME", "e")]),
    "settings": (
        LINK,
        {},
        [
            ("IFLA_MASTER", 3),
            ("IFLA_LINK", 4),
            ("IFLA_GROUP", 1 << 30),
            ("IFLA_IFALIAS", "coracle:ä"),
            ("IFLA_ADDRESS", MAC),
        ],
    ),
    "a pair": (
        LINK,
        {},
        [
            ("IFLA_IFNAME", "cv-0"),
            ("IFLA_LINKINFO", [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", [("VETH_INFO_PEER", PEER)])]),
        ],
    ),
    "a port": (
        LINK,
        {},
        [
            (
                "IFLA_LINKINFO",
                [
                    ("IFLA_INFO_SLAVE_KIND", "bridge"),
                    ("IFLA_INFO_SLAVE_DATA", [("IFLA_BRPORT_STATE", 3), ("IFLA_BRPORT_MODE", 1)]),
                ],
            )
        ],
    ),
    **{
        kind: (
            LINK,
            {},
            [("IFLA_LINKINFO", [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", [(name, value)])])],
        )
        for kind, name, value in (
            ("vlan", "IFLA_VLAN_ID", 4094),
            ("macvlan", "IFLA_MACVLAN_MODE", 8),
            ("ipvlan", "IFLA_IPVLAN_MODE", 2),
        )
    },
    "an address": (
        ADDRESS,
        {"index": 9, "family": socket.AF_INET, "prefixlen": 24, "flags": 2},
        [("IFA_LOCAL", "10.0.0.1"), ("IFA_ADDRESS", "10.0.0.1"), ("IFA_BROADCAST", "10.0.0.255")],
    ),
    "a long address": (
        ADDRESS,
        {"index": 9, "family": socket.AF_INET6, "prefixlen": 64},
        [("IFA_ADDRESS", "fd00::1")],
    ),
    "a route": (
        ROUTE,
        {"family": socket.AF_INET, "dst_len": 8, "table": 254, "proto": 4, "scope": 253, "type": 1},
        [("RTA_OIF", 3), ("RTA_DST", "10.0.0.0"), ("RTA_GATEWAY", "192.0.2.1"), ("RTA_PRIORITY", 5)],
    ),
    "a long route": (
        ROUTE,
        {"family": socket.AF_INET6, "dst_len": 128, "table": 255, "type": 2},
        [("RTA_DST", "::1"), ("RTA_OIF", 3)],
    ),
}


def as_pyroute2(attributes: t.Any) -> t.Any:
    """It wants nests in another shape."""
    return [
        (name, {"attrs": as_pyroute2(value)} if isinstance(value, (list, tuple)) else value)
        for name, value in attributes
    ]


def found(nest: Message | Nest, attributes: t.Any) -> t.Any:
    """What a message says about these attributes, in the shape that we write."""
    values = [(name, value, nest.get(name)) for name, value in attributes]
    return [
        (name, found(answer, value) if isinstance(answer, Nest) else answer) for name, value, answer in values
    ]


def as_lists(attributes: t.Any) -> t.Any:
    return [
        (name, as_lists(value) if isinstance(value, (list, tuple)) else value) for name, value in attributes
    ]


@pytest.mark.parametrize("case", CASES)
def test_pyroute2_writes_the_same(case: str) -> None:
    layout, fields, attributes = CASES[case]
    message = next(peer for known, peer in PEERS if known is layout)()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = as_pyroute2(attributes)
    message.encode()
    assert encode(layout, fields, attributes) == bytes(message.data)[16:]


@pytest.mark.parametrize("case", CASES)
def test_what_was_written_is_read(case: str) -> None:
    layout, fields, attributes = CASES[case]
    message = Message(layout, encode(layout, fields, attributes))
    assert message.fields == {**dict.fromkeys(layout.fields, 0), **fields}
    assert found(message, attributes) == as_lists(attributes)


def test_what_nobody_asks_about_may_be_anything() -> None:
    strange = b"\x08\x00\xff\x3f????\x04\x00\x01\x00\x00\x00"
    message = Message(LINK, encode(LINK, {}, [("IFLA_MTU", 1500)]) + strange)
    assert [message.get("IFLA_MTU"), message.get("IFLA_MASTER")] == [1500, None]


def test_a_field_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="prefixlen"):
        encode(LINK, {"prefixlen": 8}, ())
