# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container's places on networks and its ports of the host, in the state file: from its creation to its
removal, whether it runs or not. Nothing of the host is touched.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..container.attachments import DEFAULT_NETWORK, Item, attachments_of, has_interfaces
from ..container.port_values import wanted_ports
from ..network.ports import reserve_ports
from ..network.records import delete_endpoint, endpoints_of
from .occupy_network import occupy_network

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from ..state.database import Reader, Transaction


def ensure_networks(engine: Engine, config: ContainerConfig) -> None:
    """The default network, if the container is going to be on it. Not to be called in a transaction."""
    if DEFAULT_NETWORK in [item["name"] for item in attachments_of(config).networks]:
        from .default_network import ensure_default_network

        ensure_default_network(engine)


def reserve_network(transaction: Transaction, record: ContainerRecord, old: ContainerRecord | None) -> None:
    """Everything that a new container wants. `old`: whom it is going to replace; where a task of the module
    network has connected that one, the new one is connected too.

    NotFound for a network that is not there, Conflict for what somebody else has.
    """
    mode, networks = attachments_of(record.config)
    if not has_interfaces(mode):
        return
    yields = old.id if old else ""
    asked = {item["name"] for item in networks}
    added = [item for item in (added_networks(transaction, old) if old else ()) if item["name"] not in asked]
    for item in [*networks, *added]:
        occupy_network(transaction, record, item, yields=yields)
    reserve_ports(transaction, record.id, _ports(record), yields=yields or None)


def change_network(transaction: Transaction, record: ContainerRecord, config: ContainerConfig) -> None:
    """The same for a container that is there and shall have `config`: `record.config` is what it has."""
    changed = dataclasses.replace(record, config=config)
    mode, networks = attachments_of(config)
    if not has_interfaces(mode):
        return
    had = attachments_of(record.config).networks
    wanted = {item["name"] for item in networks}
    for item in had:
        if item["name"] not in wanted:
            delete_endpoint(transaction, record.id, item["name"])
    there = {endpoint.network for endpoint in endpoints_of(transaction, record.id)}
    same_first = had[:1] == networks[:1]
    for item in networks:
        # What is as it was needs nothing, and its network may have moved since.
        if not (same_first and item in had and item["name"] in there):
            occupy_network(transaction, changed, item)
    reserve_ports(transaction, record.id, _ports(changed))


def added_networks(reader: Reader, record: ContainerRecord) -> list[Item]:
    """Networks that the container is on although it did not ask for them: a task of the module network has
    connected it.
    """
    asked = {item["name"] for item in attachments_of(record.config).networks}
    return [
        {"name": endpoint.network}
        for endpoint in endpoints_of(reader, record.id)
        if endpoint.network not in asked
    ]


def _ports(record: ContainerRecord) -> list[dict[str, t.Any]]:
    return wanted_ports(record.config, record.image.exposed_ports)
