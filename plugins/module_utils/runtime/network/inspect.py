# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A network in the shape of `docker network inspect`, which people's filters and templates already know.

Source of the shape: Docker Engine API 1.47, `GET /networks/{id}`. `Containers` has all that are connected,
also those that do not run. `Interface`, `Isolated`, `OpenHostFirewall`, `DNS` and `Routes` are ours.
"""

from __future__ import annotations

import typing as t

from .model import IPVLAN, Endpoint, Network, Pool
from .options import driver_options

NEVER = "0001-01-01T00:00:00Z"
"""Docker's word for a time that has not come."""


def inspect_network(
    network: Network, endpoints: t.Sequence[Endpoint], names: t.Mapping[str, str]
) -> dict[str, t.Any]:
    """`names` are those of the containers, by id."""
    versions = {pool.version for pool in network.pools}
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": network.created or NEVER,
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": 4 in versions,
        "EnableIPv6": 6 in versions,
        "IPAM": {"Driver": "default", "Options": {}, "Config": [_pool(pool) for pool in network.pools]},
        "Internal": network.internal,
        "Attachable": True,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            endpoint.container_id: _container(network, endpoint, names[endpoint.container_id])
            for endpoint in sorted(endpoints, key=lambda endpoint: names[endpoint.container_id])
        },
        "Options": driver_options(network),
        "Labels": dict(network.labels),
        "Interface": network.bridge,
        "Isolated": network.isolated,
        "OpenHostFirewall": network.open_host_firewall,
        "DNS": {"Enabled": network.dns, "Servers": list(network.dns_servers)},
        "Routes": [
            {"Destination": route.destination, "Gateway": route.gateway, "Metric": route.metric}
            for route in network.routes
        ],
    }


def _pool(pool: Pool) -> dict[str, t.Any]:
    document: dict[str, t.Any] = {"Subnet": pool.subnet}
    for name, value in (("IPRange", pool.range), ("Gateway", pool.gateway)):
        if value:
            document[name] = value
    if pool.reserved:
        document["AuxiliaryAddresses"] = dict(pool.reserved)
    return document


def _container(network: Network, endpoint: Endpoint, name: str) -> dict[str, str]:
    """Interfaces of ipvlan have no MAC of their own."""
    return {
        "Name": name,
        "EndpointID": endpoint.id,
        "MacAddress": endpoint.mac if network.driver != IPVLAN else "",
        "IPv4Address": _with_prefix(endpoint, 4),
        "IPv6Address": _with_prefix(endpoint, 6),
    }


def _with_prefix(endpoint: Endpoint, version: int) -> str:
    own = endpoint.address(version)
    return next((text for text in endpoint.addresses if own and text.startswith(f"{own}/")), "")
