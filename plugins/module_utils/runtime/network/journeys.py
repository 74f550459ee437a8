# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The packets that a network lives on, there and back, at the places where a host may stop them."""

from __future__ import annotations

import typing as t

from .firewall import Target, bridge_of
from .model import Network, PublishedPort, Snapshot
from .packets import DNAT, ESTABLISHED, FORWARD, INPUT, OUTPUT, PROTOCOLS, SEEN_REPLY, UDP, Packet

OUT = "what its containers send to others"
PUBLISHED = "what comes for their published ports"
NAMES = "their questions about names"
AMONG = "what they send each other"
HERE = "what the host sends to their published ports"
_MOST_PORTS = 16  # of a network are looked at: a firewall that knows more of them than that is a decision


class HostWays(t.NamedTuple):
    """`outside`: by IP version, the interface that leads to strangers. `bridged`: the versions in which the
    host's rules are asked about packets that stay on a bridge, too (br_netfilter).
    """

    outside: t.Mapping[int, str] = {}
    bridged: t.Container[int] = ()


class Journey(t.NamedTuple):
    purpose: str
    packet: Packet


def journeys(
    snapshot: Snapshot, network: Network, leads: t.Mapping[PublishedPort, Target], ways: HostWays
) -> t.Iterator[Journey]:
    for version in sorted({pool.version for pool in network.pools}):
        bridge = bridge_of(network)
        outside = ways.outside.get(version, "")
        if outside and not network.internal:
            yield from _both(OUT, Packet(version, FORWARD, bridge, outside))
        if version in ways.bridged:
            yield from _both(AMONG, Packet(version, FORWARD, bridge, bridge))
        gateway = network.gateway(version)
        if network.dns and gateway:
            question = Packet(version, INPUT, bridge, "", UDP, destination=gateway, port=53)
            yield from _both(NAMES, question)
    for version, protocol, address, port in _targets(network, leads):
        outside = ways.outside.get(version, "")
        there = Packet(
            version, FORWARD, outside, bridge_of(network), protocol, "", address, port=port, status=DNAT
        )
        if outside:
            yield from _both(PUBLISHED, there)
        yield from _both(HERE, there._replace(hook=OUTPUT, enters=""))


def _targets(network: Network, leads: t.Mapping[PublishedPort, Target]) -> list[tuple[int, int, str, int]]:
    found = {
        (6 if ":" in target.address else 4, PROTOCOLS[port.protocol], target.address, port.container_port)
        for port, target in leads.items()
        if network.pool_of(target.address)
    }
    return sorted(found)[:_MOST_PORTS]


def _both(purpose: str, packet: Packet) -> tuple[Journey, Journey]:
    """There, and the answer."""
    hooks = {INPUT: OUTPUT, OUTPUT: INPUT, FORWARD: FORWARD}
    back = packet._replace(
        hook=hooks[packet.hook],
        enters=packet.leaves,
        leaves=packet.enters,
        source=packet.destination,
        destination=packet.source,
        source_port=packet.port,
        port=packet.source_port,
        state=ESTABLISHED,
        status=packet.status | SEEN_REPLY,
    )
    return Journey(purpose, packet), Journey(purpose, back)
