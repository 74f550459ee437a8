# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces as containers have them, without containers, and short words for networks and places."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import socket
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    in_network_namespace,
    remove_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import endpoints
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    BRIDGE,
    Endpoint,
    Member,
    Network,
    Pool,
    Snapshot,
)

INSTANCE = "coracle-cells"
POOLS = (Pool("10.99.0.0/24", "10.99.0.1"), Pool("fd00:99::/64", "fd00:99::1"))


def network(name: str = "front", driver: str = BRIDGE, **fields: t.Any) -> Network:
    return Network(name, _id(f"network {name}"), driver, "now", **{"pools": POOLS, **fields})


def endpoint(on: Network, number: int, **fields: t.Any) -> Endpoint:
    """Of the container that has this number, with the addresses that end in it."""
    addresses = tuple(_address(pool, number) for pool in on.pools)
    fields = {"interface": "eth0", "addresses": addresses, "mac": f"02:42:00:00:00:{number:02x}", **fields}
    return Endpoint(_id(f"container {number}"), on.name, _id(f"{on.name} {number}"), **fields)


def snapshot(networks: t.Iterable[Network], of: t.Iterable[Endpoint]) -> Snapshot:
    places = tuple(of)
    members = {place.container_id: Member(place.container_id, place.container_id[:8]) for place in places}
    return Snapshot(INSTANCE, tuple(networks), places, (), members)


class Cells:
    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._made: list[str] = []

    def new(self) -> str:
        """The path of a new namespace."""
        path = str(self._directory / f"cell{len(self._made)}")
        create_network_namespace(path)
        self._made.append(path)
        return path

    def connected(self, on: Network, number: int, **fields: t.Any) -> str:
        """The path of a new one that is connected as the only place of container `number`, with a way out."""
        path = self.new()
        endpoints.connect(on, endpoint(on, number, **fields), path, INSTANCE, default_route=True)
        return path

    def close(self) -> None:
        for path in self._made:
            with contextlib.suppress(OSError):
                remove_network_namespace(path)


def host_links() -> set[str]:
    """Names of the links of this namespace."""
    return {name for _index, name in socket.if_nameindex()}


def links_in(place: str) -> set[str]:
    return in_network_namespace(place, host_links)


def _address(pool: Pool, number: int) -> str:
    return f"{pool.network[number]}/{pool.prefix_length}"


def _id(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()
