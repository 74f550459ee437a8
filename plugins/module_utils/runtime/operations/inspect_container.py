# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container in the shape of `docker inspect`, with its places on networks and its ports.

Addresses belong to a container whether it runs or not, and so they are always shown. Of a container as it is
going to be, what is yet to be chosen is empty. Source of the shape: Docker Engine API 1.47, NetworkSettings.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ..container.attachments import (
    Attachments,
    Item,
    attachments_of,
    fixed_addresses,
    has_interfaces,
    is_postponed,
    shares_network,
)
from ..container.health import health_of
from ..container.inspect import inspect
from ..container.port_values import wanted_ports
from ..container.records import ContainerRecord, find_container_in
from ..network.model import IPVLAN, Endpoint, Network, PublishedPort
from ..network.records import endpoints_of, find_network, ports_of

if t.TYPE_CHECKING:
    from ..container.status import Status
    from ..engine import Engine
    from ..state.database import Reader

Document = dict[str, t.Any]


def inspect_container(engine: Engine, record: ContainerRecord, status: Status) -> Document:
    """`record` may be one that is yet to be, without an id or with other options than in the state file."""
    with engine.records.snapshot() as rows:
        known = find_container_in(rows, record.id or record.name)
        return inspect_known(engine, record, status, rows, known)


def inspect_known(
    engine: Engine, record: ContainerRecord, status: Status, rows: Reader, known: ContainerRecord | None
) -> Document:
    """The same for whoever has looked at the state file: `known` is the record in it, if there is one."""
    document = inspect(engine.paths, record, status)
    health = health_of(engine.paths, record) if record.id and status.alive else None
    if health is not None:
        document["State"]["Health"] = health.to_docker()
    attachments = attachments_of(record.config)
    networks = _networks(rows, record, known, attachments)
    ports = _ports(rows, record, known) if status.status in ("running", "paused", "restarting") else []
    first = next(iter(networks.values()), None) or _place(record, {"name": ""}, None, None)
    document["NetworkSettings"] = {
        "SandboxKey": engine.paths.network_namespace(record.id)
        if record.id and has_interfaces(attachments.mode)
        else "",
        "Ports": _published(document["Config"]["ExposedPorts"], ports),
        **{name: first[name] for name in _OF_THE_FIRST},
        "Networks": networks,
    }
    return document


_OF_THE_FIRST = (
    "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "MacAddress", "IPv6Gateway", "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
)  # fmt: skip
"""What Docker tells of the default bridge a second time."""


def _networks(
    rows: Reader, record: ContainerRecord, known: ContainerRecord | None, attachments: Attachments
) -> dict[str, Document]:
    mode, items = attachments
    if shares_network(mode):
        return {}
    if not has_interfaces(mode):
        return {mode: _place(record, {"name": mode}, None, None)}
    there = {endpoint.network: endpoint for endpoint in endpoints_of(rows, known.id)} if known else {}
    asked_before = {item["name"] for item in attachments_of(known.config).networks} if known else set()
    added = [
        {"name": name, "aliases": endpoint.aliases, "links": endpoint.links}
        for name, endpoint in there.items()
        if name not in asked_before and name not in _names(items)
    ]
    places = {}
    for item in [*items, *added]:
        network = find_network(rows, item["name"])
        endpoint = there.get(item["name"]) if record.id and network else None
        if endpoint and network and is_postponed(item, endpoint.addresses, endpoint.mac, network.offers):
            endpoint = None
        places[item["name"]] = _place(record, item, endpoint, network)
    return places


def _names(items: t.Iterable[Item]) -> set[str]:
    return {item["name"] for item in items}


def _place(
    record: ContainerRecord, item: Item, endpoint: Endpoint | None, network: Network | None
) -> Document:
    fixed = {key: item[key] for key in ("ipv4_address", "ipv6_address") if key in item}
    names = {"ipv4_address": "IPv4Address", "ipv6_address": "IPv6Address"}
    addresses = endpoint.addresses if endpoint else _with_prefix(network, fixed_addresses(item))
    ipv4, ipv6 = (
        next((each for each in map(ipaddress.ip_interface, addresses) if each.version == version), None)
        for version in (4, 6)
    )
    aliases = list(item.get("aliases", ()))
    return {
        "IPAMConfig": {names[key]: address for key, address in fixed.items()} or None,
        "Links": [":".join(link) for link in item.get("links", ())] or None,
        "Aliases": aliases or None,
        "MacAddress": _mac(item, endpoint, network),
        "DriverOpts": item.get("driver_opts"),
        "GwPriority": item.get("gw_priority", 0),
        "NetworkID": network.id if network else "",
        "EndpointID": endpoint.id if endpoint else "",
        "Gateway": network.gateway(4) if network and ipv4 else "",
        "IPAddress": str(ipv4.ip) if ipv4 else "",
        "IPPrefixLen": ipv4.network.prefixlen if ipv4 else 0,
        "IPv6Gateway": network.gateway(6) if network and ipv6 else "",
        "GlobalIPv6Address": str(ipv6.ip) if ipv6 else "",
        "GlobalIPv6PrefixLen": ipv6.network.prefixlen if ipv6 else 0,
        "DNSNames": [record.name, *aliases, *([record.id[:12]] if record.id else [])] if network else None,
    }


def _mac(item: Item, endpoint: Endpoint | None, network: Network | None) -> str:
    """Interfaces of an ipvlan network have that of its parent."""
    if network and network.driver == IPVLAN:
        return ""
    return endpoint.mac if endpoint else str(item.get("mac_address", ""))


def _with_prefix(network: Network | None, addresses: t.Iterable[str]) -> list[str]:
    pools = [(address, network.pool_of(address) if network else None) for address in addresses]
    return [f"{address}/{pool.prefix_length}" if pool else address for address, pool in pools]


def _ports(rows: Reader, record: ContainerRecord, known: ContainerRecord | None) -> list[PublishedPort]:
    """Those that are there, or what the options to come say; a port that is yet to be chosen is 0."""
    if record.id and known is not None and known.config == record.config:
        return ports_of(rows, record.id)
    ports = []
    for want in wanted_ports(record.config, record.image.exposed_ports):
        number = want["host_port"] if want["host_port"] == want["host_port_end"] else 0
        for host_ip in [want["host_ip"]] if want["host_ip"] else ("0.0.0.0", "::"):
            ports.append(PublishedPort(record.id, host_ip, want["protocol"], number, want["container_port"]))
    return ports


def _published(exposed: t.Iterable[str], ports: t.Iterable[PublishedPort]) -> Document:
    """By port of the container; None for one that is exposed and not published."""
    found: Document = dict.fromkeys(exposed)
    for port in ports:
        key = f"{port.container_port}/{port.protocol}"
        binding = {"HostIp": port.host_ip, "HostPort": str(port.host_port or "")}
        found[key] = [*(found.get(key) or ()), binding]
    return found
