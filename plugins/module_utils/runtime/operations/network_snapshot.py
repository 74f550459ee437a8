# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What firewall and names are made from: networks, and the places and ports of containers that have a run."""

from __future__ import annotations

import typing as t

from ..container.records import REMOVING, ContainerRecord, hidden_for, is_hidden, list_containers
from ..network.model import Member, Snapshot
from ..network.records import list_endpoints, list_networks, list_ports

if t.TYPE_CHECKING:
    from ..engine import Engine


def network_snapshot(engine: Engine) -> Snapshot:
    """One consistent view, to be taken with the lock `network` held by whoever acts on it.

    A container whose record is damaged has nothing open and no name; the others go on.
    """
    return network_view(engine)[0]


def network_view(engine: Engine) -> tuple[Snapshot, dict[str, ContainerRecord]]:
    """The same, with the records of the members by id."""
    with engine.records.snapshot() as rows:
        containers = list_containers(engine.records, hidden=True, damaged=[])
        networks = list_networks(rows)
        endpoints = list_endpoints(rows)
        ports = list_ports(rows)
    records = {record.id: record for record in containers if _has_run(record)}
    members = {record.id: _member(record, records) for record in records.values()}
    snapshot = Snapshot(
        engine.paths.instance,
        tuple(networks),
        tuple(endpoint for endpoint in endpoints if endpoint.container_id in records),
        tuple(port for port in ports if port.container_id in members and members[port.container_id].is_found),
        members,
    )
    return snapshot, records


def _has_run(record: ContainerRecord) -> bool:
    going = record.state.phase == REMOVING and not record.state.draining
    return record.state.run is not None and not going


def _member(record: ContainerRecord, running: t.Mapping[str, ContainerRecord]) -> Member:
    replaces = record.state.replaces
    return Member(
        record.id,
        hidden_for(record.name) if is_hidden(record.name) else record.name,
        record.config.hostname or "",
        standby=replaces is not None and replaces.container_id in running,
        draining=record.state.draining,
        dns_servers=tuple(record.config.dns_servers or ()),
    )
