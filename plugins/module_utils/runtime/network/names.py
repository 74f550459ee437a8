# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Who is found under which name, as the DNS server is told. Pure; the process is in `name_server`.

A container has, on each of its networks, its name, its aliases there, its host name and the first twelve
digits of its id; each of them also with `.coracle.internal`. It hears of those with whom it shares a network,
and of nobody else.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t

from .model import BRIDGE, Endpoint, Member, Network, Snapshot

DOMAIN = "coracle.internal"
"""Names in it are never asked for elsewhere. `internal` is reserved for private use."""

MARKER = "_coracle"
"""A name that is served on every network; its address tells which version of the network's names."""

_NAME = re.compile(r"(?=[a-z0-9])[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_ADDRESS = re.compile(r"[0-9a-f.:]+")
_LONGEST_NAME = 253
_NOWHERE = "255.255.255.255"  # the kernel sends nothing there


class Zone(t.NamedTuple):
    """One network as the server is told of it: the name and content of its file.

    `generation` is the address under which MARKER is known when the server has read exactly this, and what
    there is to say of all other networks: with any of them it reads everything again.
    """

    network_id: str
    listen: tuple[str, ...]
    file_name: str
    content: str
    generation: str


def has_server(network: Network) -> bool:
    """Can a DNS server be reached on this network? It listens on the bridge's own addresses."""
    return network.dns and network.driver == BRIDGE and bool(gateways(network))


def gateways(network: Network) -> tuple[str, ...]:
    return tuple(pool.gateway for pool in network.pools if pool.gateway)


def names_of(member: Member, endpoint: Endpoint) -> tuple[str, ...]:
    """The names of a container on one network, the first is the one it is known by. What is no name of a
    host in DNS is left out: it would not be found, and could say something else to the server.
    """
    names = (member.name, *endpoint.aliases, member.hostname, member.short_id)
    return tuple(dict.fromkeys(name for name in map(str.lower, names) if _is_name(name)))


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def zones(snapshot: Snapshot, listen: t.Mapping[str, t.Sequence[str]]) -> list[Zone]:
    """Every network with a running container on which the server is to be found; `listen`: on which
    addresses, by network id.
    """
    isolated = _isolated(snapshot)
    told: list[tuple[Network, tuple[str, ...], list[str]]] = []
    for network in snapshot.networks:
        endpoints = [endpoint for endpoint in snapshot.endpoints if endpoint.network == network.name]
        if endpoints and listen.get(network.id):
            addresses = tuple(listen[network.id])
            told.append(
                (network, addresses, _lines(network, addresses, endpoints, snapshot.members, isolated))
            )
    everything = "\n".join(line for network, _listen, lines in told for line in (network.id, *lines))
    generation = "0." + ".".join(map(str, hashlib.sha256(everything.encode()).digest()[:3]))
    return [_zone(*each, generation) for each in told]


def _zone(network: Network, listen: tuple[str, ...], lines: t.Sequence[str], generation: str) -> Zone:
    name = f"{network.id}%int" if network.internal else network.id
    marker = f"coracle {generation}  {MARKER}"
    return Zone(network.id, listen, name, "".join(f"{line}\n" for line in (*lines, marker)), generation)


def _isolated(snapshot: Snapshot) -> frozenset[str]:
    """Containers that are on internal networks only: what they ask for must not get out in a question."""
    open_networks = {network.name for network in snapshot.networks if not network.internal}
    reach = {endpoint.container_id for endpoint in snapshot.endpoints if endpoint.network in open_networks}
    return frozenset(snapshot.members.keys() - reach)


def _lines(
    network: Network,
    listen: tuple[str, ...],
    endpoints: t.Sequence[Endpoint],
    members: t.Mapping[str, Member],
    isolated: frozenset[str],
) -> list[str]:
    """Up to aardvark-dns 1.10 nothing but the fifth field keeps an isolated container's questions inside, and
    they get no answer; later ones know by the file name, and answer that there is no such name.
    """
    upstream = "" if network.internal else _servers(network.dns_servers)
    lines = [f"{','.join(listen)} {upstream}".rstrip()]
    for endpoint in endpoints:
        member = members[endpoint.container_id]
        names = ",".join(names_of(member, endpoint))
        if names and member.is_found:
            servers = _NOWHERE if member.container_id in isolated else _servers(member.dns_servers)
            addresses = f"{_addresses(endpoint, 4)} {_addresses(endpoint, 6)}"
            lines.append(f"{member.container_id} {addresses} {names} {servers}".rstrip())
    return lines


def _addresses(endpoint: Endpoint, version: int) -> str:
    addresses = (ipaddress.ip_interface(address).ip for address in endpoint.addresses)
    return ",".join(str(address) for address in addresses if address.version == version)


def _servers(addresses: t.Iterable[str]) -> str:
    """Those that the server understands: no scopes, nothing else that is no address."""
    return ",".join(address for address in addresses if _ADDRESS.fullmatch(address))
