# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which network addresses a registry may send us to by a redirect or a token server's name.

A registry on the internet has no business on our private network, and nobody but the host itself on its
loopback addresses; nothing but itself is at a link-local address (169.254.169.254 hands out cloud
credentials). The addresses that are really connected to are judged, so a host name that resolves to such an
address is no way around.
"""

from __future__ import annotations

import ipaddress

from .origins import IPAddress

LOOPBACK, PRIVATE, GLOBAL = range(3)


def parse_address(text: str) -> IPAddress:
    """An address as the resolver gives it (`fe80::1%eth0`); IPv4 inside IPv6 becomes IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def reach(address: IPAddress) -> int:
    """From how far an address can be reached: LOOPBACK < PRIVATE < GLOBAL."""
    if address.is_loopback or address.is_unspecified:
        return LOOPBACK
    return GLOBAL if address.is_global else PRIVATE


def may_lead_to(home: IPAddress | None, address: IPAddress) -> bool:
    """Whether a registry at `home` (None: unknown, behind a proxy) may send us to `address`."""
    if home == address:
        return True
    if address.is_link_local or address.is_multicast:
        return False
    return reach(address) >= (GLOBAL if home is None else reach(home))
