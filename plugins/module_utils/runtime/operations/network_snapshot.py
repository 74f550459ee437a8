# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What firewall and names are made from: networks, and the places and ports of containers that have a run."""

from __future__ import annotations

import typing as t

from ..container.records import REMOVING, hidden_for, is_hidden, list_containers
from ..network.model import Member, Snapshot
from ..network.records import list_endpoints, list_networks, list_ports

if t.TYPE_CHECKING:
    from ..engine import Engine


def network_snapshot(engine: Engine) -> Snapshot:
    """One consistent view, to be taken with the lock `network` held by whoever acts on it.

    A container whose record is damaged has nothing open and no name; the others go on.
    """
    members: dict[str, Member] = {}
    with engine.records.snapshot() as rows:
        for record in list_containers(engine.records, hidden=True, damaged=[]):
            if record.state.run is not None and record.state.phase != REMOVING:
                name = hidden_for(record.name) if is_hidden(record.name) else record.name
                members[record.id] = Member(record.id, name, record.config.hostname or "")
        networks = list_networks(rows)
        endpoints = list_endpoints(rows)
        ports = list_ports(rows)
    return Snapshot(
        engine.paths.instance,
        tuple(networks),
        tuple(endpoint for endpoint in endpoints if endpoint.container_id in members),
        tuple(port for port in ports if port.container_id in members),
        members,
    )
