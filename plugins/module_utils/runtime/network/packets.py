# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Packets that have not been sent: what is known of one in the middle of the host, as far as rules of a
firewall can ask for it. A byte, a port or an address that may be anything is None or empty.

Sources: RFC 791, RFC 8200, linux/netfilter/nf_conntrack_common.h.
"""

from __future__ import annotations

import ipaddress
import typing as t

FORWARD, INPUT, OUTPUT = "forward", "input", "output"
TCP, UDP = 6, 17
PROTOCOLS = {"tcp": TCP, "udp": UDP, "sctp": 132}

NEW, ESTABLISHED = 8, 2  # bits of the state of a connection, as nft and xt_conntrack number them
SEEN_REPLY, DNAT = 1 << 1, 1 << 5  # of its status

Byte = t.Optional[int]
Bytes = tuple[Byte, ...]


class Packet(t.NamedTuple):
    """`enters`, `leaves`: names of interfaces, empty where there is none. `source` and `destination`: empty
    for anybody's. Ports 0: any.
    """

    version: int
    hook: str
    enters: str
    leaves: str
    protocol: int = TCP
    source: str = ""
    destination: str = ""
    source_port: int = 0
    port: int = 0
    state: int = NEW
    status: int = 0

    def network_header(self) -> Bytes:
        protocol = self.protocol
        source, destination = (_address(text, self.version) for text in (self.source, self.destination))
        if self.version == 4:
            lengths: Bytes = (0x45, None, None, None, None, None, 0, 0, None, protocol, None, None)
            return (*lengths, *source, *destination)
        return (0x60, None, None, None, None, None, protocol, None, *source, *destination)

    def transport_header(self) -> Bytes:
        ports = (*_number(self.source_port), *_number(self.port))
        flags = 2 if self.protocol == TCP and self.state == NEW else None  # SYN
        return (*ports, *(None,) * 9, flags)


def _address(text: str, version: int) -> Bytes:
    if text:
        return tuple(ipaddress.ip_address(text).packed)
    return (None,) * (4 if version == 4 else 16)


def _number(port: int) -> Bytes:
    return tuple(port.to_bytes(2, "big")) if port else (None, None)
