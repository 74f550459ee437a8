# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Would the host's own firewall stop what networks of containers live on?

What one table accepts another one may drop: a packet has to get through all of them. So packets that have
not been sent are led through the chains of all others (journeys.py, nft_rules.py, legacy_tables.py). A chain
is in the way only if there is no way through it. Where that depends on what is not known (who asks, a mark,
a limit), its owner has thought of such packets, and nothing is said.

On a host without rules of others this is one question to the kernel.
"""

from __future__ import annotations

import functools
import typing as t

from ..linux.netlink import Netlink
from .nftables import NETLINK_NETFILTER

if t.TYPE_CHECKING:
    from .firewall import Target
    from .host_firewalls import HostChain
    from .journeys import HostWays
    from .model import Network, PublishedPort, Snapshot
    from .nft_chains import BaseChain, Chains
    from .packets import Packet
    from .verdicts import Rule


class Obstacle(t.NamedTuple):
    """`purposes`: what of the network is stopped there, in words (journeys.py)."""

    network: Network
    chain: HostChain
    purposes: tuple[str, ...]
    answers: bool


def obstacles(
    snapshot: Snapshot, networks: t.Sequence[Network], leads: t.Mapping[PublishedPort, Target]
) -> list[Obstacle]:
    """In the network namespace of the calling thread."""
    from .nft_chains import list_chains

    with Netlink(NETLINK_NETFILTER) as netlink:
        chains = list_chains(netlink)
        filters = [*_nft_filters(netlink, chains, snapshot.instance), *_legacy_filters()]
        if not filters:
            return []
        return _found(filters, snapshot, networks, leads)


def host_chains(own_table: str) -> list[HostChain]:
    """All of the host's chains that might be in the way of something."""
    from .nft_chains import list_chains

    with Netlink(NETLINK_NETFILTER) as netlink:
        filters = [*_nft_filters(netlink, list_chains(netlink), own_table), *_legacy_filters()]
    return [one.chain for one in filters]


def marked_rules(chain: HostChain, bridge: str, mark: str) -> list[int]:
    """Handles of the rules in a chain of nf_tables with that comment which ask for that bridge."""
    from .nft_chains import list_rules

    with Netlink(NETLINK_NETFILTER) as netlink:
        rules = list_rules(netlink, chain.family, chain.table, chain.name)
    name = bridge.encode().ljust(16, b"\0")
    return [
        rule.handle
        for rule in rules
        if rule.comment == mark and any(_asks_for(name, values) for _name, values in rule.expressions)
    ]


def _asks_for(name: bytes, values: t.Mapping[int, bytes]) -> bool:
    return any(name in value for value in values.values())


class _Filter(t.NamedTuple):
    chain: HostChain
    versions: tuple[int, ...]
    policy: str
    start: str | int
    rules_of: t.Callable[[t.Any], t.Sequence[Rule]]

    def stops(self, packet: Packet) -> bool:
        from .verdicts import DROP, Walk

        if packet.hook != self.chain.hook or packet.version not in self.versions:
            return False
        return Walk(packet, self.rules_of).ends(self.start, self.policy) == {DROP}


def _found(
    filters: t.Sequence[_Filter],
    snapshot: Snapshot,
    networks: t.Sequence[Network],
    leads: t.Mapping[PublishedPort, Target],
) -> list[Obstacle]:
    from .journeys import journeys

    ways = _host_ways(snapshot)
    found = []
    for network in networks:
        trips = list(journeys(snapshot, network, leads, ways))
        for one in filters:
            stopped = [trip for trip in trips if one.stops(trip.packet)]
            if stopped:
                purposes = tuple(dict.fromkeys(trip.purpose for trip in stopped))
                answers = any(trip.packet.state != _NEW for trip in stopped)
                found.append(Obstacle(network, one.chain, purposes, answers))
    return found


_NEW = 8  # packets.NEW


def _nft_filters(netlink: Netlink, chains: Chains, own_table: str) -> t.Iterator[_Filter]:
    for chain in chains.filters:
        if (chain.family, chain.table) == ("inet", own_table) or (chain.accepts and chain.is_empty):
            continue
        yield _nft_filter(netlink, chain, chains.names[chain.family, chain.table])


def _nft_filter(netlink: Netlink, chain: BaseChain, names: t.Container[str]) -> _Filter:
    from .host_firewalls import HostChain, kind_of
    from .nft_chains import list_elements, list_rules
    from .nft_rules import NftRule
    from .verdicts import ACCEPT, DROP

    contents_of = functools.cache(lambda name: list_elements(netlink, chain.family, chain.table, name))

    @functools.cache
    def rules_of(name: str) -> list[NftRule]:
        return [NftRule(rule, contents_of) for rule in list_rules(netlink, chain.family, chain.table, name)]

    kind = kind_of(chain.table, chain.name, names)
    return _Filter(
        HostChain(kind, chain.family, chain.table, chain.name, chain.hook),
        tuple(version for version in (4, 6) if chain.concerns(version)),
        ACCEPT if chain.accepts else DROP,
        chain.name,
        rules_of,
    )


def _legacy_filters() -> t.Iterator[_Filter]:
    from .legacy_tables import legacy_filter

    for version, family in ((4, "ip"), (6, "ip6")):
        table = legacy_filter(version)
        for hook in ("forward", "input", "output") if table is not None else ():
            yield from _legacy_chain(table, version, family, hook)


def _legacy_chain(table: t.Any, version: int, family: str, hook: str) -> t.Iterator[_Filter]:
    from .host_firewalls import HostChain, kind_of
    from .verdicts import DROP

    if table.is_empty(hook) and table.accepts(hook):
        return
    name = hook.upper()
    chain = HostChain(kind_of("filter", name, table.names, legacy=True), family, "filter", name, hook)
    yield _Filter(chain, (version,), DROP, table.chain(hook), functools.cache(table.rules_of))


def _host_ways(snapshot: Snapshot) -> HostWays:
    from .forwarding import is_bridged
    from .host_routes import outside
    from .journeys import HostWays

    own = {network.bridge for network in snapshot.networks}
    return HostWays(
        {version: outside(version, own) for version in (4, 6)},
        tuple(version for version in (4, 6) if is_bridged(version)),
    )
