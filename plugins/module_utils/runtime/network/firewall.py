# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The firewall table of an engine, `inet <instance>`: a pure function of the state and of some facts about
the host. It is replaced as a whole, in one transaction.

    prerouting  early      what a network may never say to the host
                published  a port of the host becomes one of a container: two maps for each IP version, one
    output                 with addresses of the host and one for all of them
    forward     forward    from-<id>: out of a network; to-<id>: into one; everything else is not ours
    input       input      of an internal network only questions about names come in
    postrouting leaving    arrive-<id>: whoever would get no answer otherwise, masqueraded; ways out

A packet of a connection that exists costs the same with one published port and with a thousand, and so does
the first of a connection: a map is a hash table.
"""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t

from .model import BRIDGE, Endpoint, Network, PublishedPort, Snapshot, bridge_name
from .ruleset import (
    Nft,
    Ruleset,
    Table,
    concatenated,
    interface,
    ip,
    is_interface,
    jump,
    leading,
    lookup,
    one_of,
    port,
    protocol,
    rule,
    subnet,
    words,
)

_VERSIONS = (4, 6)
_FAMILY = {4: words("ip"), 6: words("ip6")}
_TYPE = {4: words("ipv4_addr"), 6: words("ipv6_addr")}
_NFPROTO = {4: words("meta nfproto ipv4"), 6: words("meta nfproto ipv6")}
_EVERY = {4: "0.0.0.0", 6: "::"}
_LOOPBACK = {4: subnet("127.0.0.0/8"), 6: subnet("::1/128")}

_ACCEPT = words("accept")
_DROP = words("drop")
_RETURN = words("return")
_MASQUERADE = words("masquerade")
_FROM = words("iifname")
_NOT_FROM = words("iifname !=")
_TO = words("oifname")
_NOT_TO = words("oifname !=")
_LO = interface("lo")
_ANSWERS = words("ct state established,related")
_INVALID = words("ct state invalid")
_REDIRECTED = words("ct status dnat")
_DNS = rule(words("meta l4proto"), one_of([protocol("tcp"), protocol("udp")]), words("th dport 53"))
_ROUTES4 = words("icmp type redirect")
_ROUTES6 = rule(words("icmpv6 type"), one_of([words("nd-router-advert"), words("nd-redirect")]))
_PING4 = words("icmp type echo-request")
_NEIGHBOURS6 = rule(
    words("icmpv6 type"),
    one_of(map(words, ("nd-neighbor-solicit", "nd-neighbor-advert", "echo-request"))),
)


class HostFacts(t.NamedTuple):
    """What the table depends on besides the state: `closed` are, by IP version, the interfaces between which
    nothing was forwarded before the engine came, but for those whose names no ruleset can say; `loopback6`:
    can `::1` be redirected? (forwarding.py)
    """

    closed: t.Mapping[int, t.Sequence[str]] = {}
    loopback6: bool = True


Place = tuple[Network, Endpoint]


class Target(t.NamedTuple):
    """Where a published port leads. `lopsided`: the container answers strangers by another way."""

    address: str
    lopsided: bool


def render(snapshot: Snapshot, host: HostFacts) -> Ruleset | None:
    """None: nobody is on a bridge and nothing is to be kept closed, so no table is needed."""
    networks = used_bridges(snapshot)
    if not networks and not any(host.closed.values()):
        return None
    table = Table(snapshot.instance)
    if networks:
        leads = targets(snapshot)
        table.chain(port_mark(leads, snapshot.draining))
        _early(table, networks)
        _published(table, leads, networks, host)
        _input(table, snapshot, networks)
        _leaving(table, leads, networks)
    _forward(table, networks, host)
    return table.finished()


def used_bridges(snapshot: Snapshot) -> list[Network]:
    used = {endpoint.network for endpoint in snapshot.endpoints}
    return [network for network in snapshot.networks if network.driver == BRIDGE and network.name in used]


def bridge_of(network: Network) -> str:
    return network.bridge or bridge_name(network.id)


def port_mark(leads: t.Mapping[PublishedPort, Target], draining: t.Collection[str] = ()) -> str:
    """Name of a chain that tells a table with these published ports, and these addresses that had some, from
    one with others.
    """
    text = repr(sorted((tuple(port), target.address) for port, target in leads.items()))
    text += repr(sorted(draining)) if draining else ""
    return "ports-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def targets(snapshot: Snapshot) -> dict[PublishedPort, Target]:
    """Where each published port leads; ports that lead nowhere are not there."""
    if not snapshot.ports:
        return {}
    found: dict[tuple[str, int], Target | None] = {}
    places: dict[str, list[Place]] = {}
    for endpoint in snapshot.endpoints:
        places.setdefault(endpoint.container_id, []).append((snapshot.network_of(endpoint), endpoint))
    leads = {}
    for published in snapshot.ports:
        key = (published.container_id, ipaddress.ip_address(published.host_ip).version)
        if key not in found:
            found[key] = _target(places.get(published.container_id, []), key[1])
        target = found[key]
        if target is not None:
            leads[published] = target
    return leads


def _target(places: list[Place], version: int) -> Target | None:
    """The container's way out if it is on a bridge, so that its answers come back the way that the questions
    came; else its place on another bridge. Never one on an internal network.
    """
    from .endpoints import default_routes

    places.sort(key=lambda place: (-place[1].priority, len(place[1].interface), place[1].interface))
    usable = [
        (network, endpoint)
        for network, endpoint in places
        if network.driver == BRIDGE and not network.internal and endpoint.address(version)
    ]
    if not usable:
        return None
    way_out = default_routes(places).get(version)
    chosen = way_out if way_out in usable else usable[0]
    return Target(chosen[1].address(version), chosen != way_out)


# The chains


def _early(table: Table, networks: t.Sequence[Network]) -> None:
    """`route_localnet` of bridges is for what the host itself sends to 127.0.0.1; and no container tells the
    host about routes.
    """
    table.base_chain("early", "filter", "prerouting", -300)
    bridges = _interfaces(bridge_of(network) for network in networks)
    for field in ("saddr", "daddr"):
        table.rule("early", _FROM, bridges, _field(4, field), _LOOPBACK[4], _DROP)
    for routes in (_ROUTES4, _ROUTES6):
        table.rule("early", _FROM, bridges, routes, _DROP)


def _published(
    table: Table, leads: t.Mapping[PublishedPort, Target], networks: t.Sequence[Network], host: HostFacts
) -> None:
    if not leads:
        return
    table.chain("publish")
    table.base_chain("published", "nat", "prerouting", -100)
    table.base_chain("published-here", "nat", "output", -100)
    internal = [bridge_of(network) for network in networks if network.internal]
    if internal:
        table.rule("published", _FROM, _interfaces(internal), _RETURN)
    # A port on 127.0.0.1 is for the host alone, whatever others put on the wire.
    table.rule("published", _NOT_FROM, _LO, _field(4, "daddr"), _LOOPBACK[4], _RETURN)
    for hook in ("published", "published-here"):
        table.rule(hook, words("fib daddr type local"), jump("publish"))
    # Questions about names are for the engine's own server, also where port 53 is published.
    for version, gateways in _gateways(networks).items():
        table.rule("publish", _field(version, "daddr"), one_of(gateways), _DNS, _RETURN)
    if not host.loopback6:
        table.rule("publish", _field(6, "daddr"), _LOOPBACK[6], _RETURN)
    for version in _VERSIONS:
        _maps(table, version, leads)


def _maps(table: Table, version: int, leads: t.Mapping[PublishedPort, Target]) -> None:
    exact, every = [], []
    for published, target in leads.items():
        if ipaddress.ip_address(published.host_ip).version == version:
            to = concatenated(ip(target.address), port(published.container_port))
            kind, number = protocol(published.protocol), port(published.host_port)
            if published.host_ip == _EVERY[version]:
                every.append(leading(concatenated(kind, number), to))
            else:
                exact.append(leading(concatenated(kind, ip(published.host_ip), number), to))
    address, daddr = _TYPE[version], _field(version, "daddr")
    kind, number = words("inet_proto"), words("inet_service")
    packet_kind, packet_port = words("meta l4proto"), words("th dport")
    redirect = rule(words("dnat"), _FAMILY[version], words("to"))
    if exact:
        name = f"one-address-{version}"
        table.map(name, concatenated(kind, address, number), concatenated(address, number), exact)
        table.rule("publish", redirect, concatenated(packet_kind, daddr, packet_port), lookup(name))
    if every:
        name = f"every-address-{version}"
        table.map(name, concatenated(kind, number), concatenated(address, number), every)
        table.rule("publish", redirect, concatenated(packet_kind, packet_port), lookup(name))


def _forward(table: Table, networks: t.Sequence[Network], host: HostFacts) -> None:
    table.base_chain("forward", "filter", "forward", 0)
    outgoing = [bridge_of(network) for network in networks if not network.internal]
    for network in networks:
        _out_of(table, network)
        _into(table, network, outgoing)
    if networks:
        table.rule("forward", _dispatch(_FROM, "from", networks))
        table.rule("forward", _dispatch(_TO, "to", networks))
    for version, names in sorted(host.closed.items()):
        sayable = [name for name in names if is_interface(name)]
        if sayable:
            closed = _interfaces(sayable)
            table.rule("forward", _NFPROTO[version], _FROM, closed, _TO, closed, _DROP)


def _out_of(table: Table, network: Network) -> None:
    chain = _chain("from", network)
    table.chain(chain)
    if network.internal:
        table.rule(chain, _NOT_TO, interface(bridge_of(network)), _DROP)
    else:
        table.rule(chain, _INVALID, _DROP)


def _into(table: Table, network: Network, outgoing: t.Sequence[str]) -> None:
    """From outside only answers and what has been redirected; from other networks the same, unless this one
    is open to them.
    """
    chain = _chain("to", network)
    table.chain(chain)
    table.rule(chain, _FROM, interface(bridge_of(network)), _ACCEPT)
    if not network.internal:
        table.rule(chain, _ANSWERS, _ACCEPT)
        table.rule(chain, _INVALID, _DROP)
        table.rule(chain, _REDIRECTED, _ACCEPT)
        if not network.isolated:
            table.rule(chain, _FROM, _interfaces(outgoing), _ACCEPT)
    table.rule(chain, _DROP)


def _input(table: Table, snapshot: Snapshot, networks: t.Sequence[Network]) -> None:
    """The names of containers are not for strangers; an internal network reaches nothing else."""
    table.base_chain("input", "filter", "input", 0)
    ours = one_of([_LO, *(interface(bridge_of(network)) for network in networks)])
    for version, gateways in _gateways(networks).items():
        table.rule("input", _NOT_FROM, ours, _field(version, "daddr"), one_of(gateways), _DNS, _DROP)
    internal = [network for network in networks if network.internal]
    for network in internal:
        _into_host(table, snapshot, network)
    if internal:
        table.rule("input", _dispatch(_FROM, "in", internal))


def _into_host(table: Table, snapshot: Snapshot, network: Network) -> None:
    """Answers, neighbour discovery, echo requests and, from addresses that the engine has given, questions
    about names: those of others a DNS server would answer as if they came from anywhere.
    """
    chain = _chain("in", network)
    table.chain(chain)
    for welcome in (_ANSWERS, _PING4, _NEIGHBOURS6):
        table.rule(chain, welcome, _ACCEPT)
    for version, gateways in _gateways([network]).items():
        places = [endpoint for endpoint in snapshot.endpoints if endpoint.network == network.name]
        members = [ip(place.address(version)) for place in places if place.address(version)]
        if members:
            source = rule(_field(version, "saddr"), one_of(members))
            table.rule(chain, source, _field(version, "daddr"), one_of(gateways), _DNS, _ACCEPT)
    table.rule(chain, _DROP)


def _leaving(table: Table, leads: t.Mapping[PublishedPort, Target], networks: t.Sequence[Network]) -> None:
    table.base_chain("leaving", "nat", "postrouting", 100)
    lopsided = {target.address for target in leads.values() if target.lopsided}
    for network in networks:
        _arriving(table, network, lopsided)
    table.rule("leaving", _dispatch(_TO, "arrive", networks))
    table.rule("leaving", _TO, _LO, _RETURN)
    for version in _VERSIONS:
        inside = [
            found for network in networks if not network.internal for found in _subnets(network, version)
        ]
        if inside:
            table.rule("leaving", _field(version, "saddr"), one_of(inside), _MASQUERADE)


def _arriving(table: Table, network: Network, lopsided: set[str]) -> None:
    """Sources are kept, but for three: the host's loopback; neighbours on the same bridge, whose answer would
    not pass the host; strangers that the container would answer by another of its networks.
    """
    chain = _chain("arrive", network)
    table.chain(chain)
    for version in _VERSIONS:
        subnets = _subnets(network, version)
        if not subnets:
            continue
        source, destination = _field(version, "saddr"), _field(version, "daddr")
        table.rule(chain, source, _LOOPBACK[version], _MASQUERADE)
        table.rule(chain, _REDIRECTED, source, one_of(subnets), _MASQUERADE)
        there = [ip(address) for address in sorted(lopsided) if _is_in(network, address, version)]
        if there:
            table.rule(chain, _REDIRECTED, destination, one_of(there), _MASQUERADE)
    table.rule(chain, _ACCEPT)


# Pieces of rules


def _field(version: int, name: str) -> Nft:
    return rule(_FAMILY[version], words(name))


def _interfaces(names: t.Iterable[str]) -> Nft:
    return one_of(map(interface, names))


def _dispatch(key: Nft, kind: str, networks: t.Sequence[Network]) -> Nft:
    """One look, however many networks there are."""
    ways = [leading(interface(bridge_of(network)), jump(_chain(kind, network))) for network in networks]
    return rule(key, words("vmap"), one_of(ways))


def _chain(kind: str, network: Network) -> str:
    return f"{kind}-{network.id[:12]}"


def _subnets(network: Network, version: int) -> list[Nft]:
    return [subnet(pool.subnet) for pool in network.pools if pool.version == version]


def _is_in(network: Network, address: str, version: int) -> bool:
    return ipaddress.ip_address(address).version == version and network.pool_of(address) is not None


def _gateways(networks: t.Iterable[Network]) -> dict[int, list[Nft]]:
    """The addresses that names are served on, by IP version."""
    found: dict[int, list[Nft]] = {}
    for network in networks:
        for pool in network.pools if network.dns else ():
            if pool.gateway:
                found.setdefault(pool.version, []).append(ip(pool.gateway))
    return found
