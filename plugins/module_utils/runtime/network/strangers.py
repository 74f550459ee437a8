# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Connections between networks that the kernel remembers, and that could not begin any more: the table lets
pass whatever belongs to one. Forgotten, its next packet is judged like a first one.

Source: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import typing as t

from ..linux.netlink import Netlink, Request
from .model import IpNetwork, Network
from .nft_chains import HEADER, attributes
from .nftables import NETLINK_NETFILTER

_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK
_ORIGINAL, _STATUS, _ID, _ZONE = 1, 3, 12, 18  # CTA_*
_REDIRECTED = 1 << 5  # IPS_DST_NAT: what has come by a published port may go on
_NESTED = 1 << 15
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def forget_strangers(network: Network, networks: t.Iterable[Network]) -> int:
    """Have the kernel forget what containers of other `networks` have begun with those of this one; how many
    connections that were.
    """
    others = [pool.network for other in networks if other.name != network.name for pool in other.pools]
    forgotten = 0
    with Netlink(NETLINK_NETFILTER) as netlink:
        for pool in network.pools:
            header = struct.pack(">BBH", _FAMILIES[pool.version], 0, 0)
            for message in netlink.dump(_GET, header):
                found = attributes(message, HEADER)
                if _is_from_strangers(found, pool.network, others):
                    forgotten += _forget(netlink, header, found)
    return forgotten


def _is_from_strangers(found: t.Mapping[int, bytes], own: IpNetwork, others: t.Sequence[IpNetwork]) -> bool:
    if int.from_bytes(found.get(_STATUS, b""), "big") & _REDIRECTED:
        return False
    ends = attributes(attributes(found[_ORIGINAL])[1])
    source, destination = (ipaddress.ip_address(ends[kind]) for kind in sorted(ends))
    return destination in own and any(source in other for other in others)


def _forget(netlink: Netlink, header: bytes, found: t.Mapping[int, bytes]) -> int:
    key = _attribute(_ORIGINAL | _NESTED, found[_ORIGINAL])
    for kind in (_ZONE, _ID):
        if kind in found:
            key += _attribute(kind, found[kind])
    with contextlib.suppress(FileNotFoundError):
        netlink.apply(Request(_DELETE, 0, header + key, "forget a connection"))
        return 1
    return 0


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
