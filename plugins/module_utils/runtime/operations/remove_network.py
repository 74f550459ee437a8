# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Remove a network that no container is on."""

from __future__ import annotations

import typing as t

from ..errors import Conflict, doing
from ..linux.locks import lock
from ..network.records import container_name, delete_network, endpoints_in
from .create_network import existing_network
from .history import note
from .network_snapshot import network_snapshot

if t.TYPE_CHECKING:
    from ..engine import Engine


def remove_network(engine: Engine, name: str) -> None:
    """Conflict, with the names, while containers are on it, running or not."""
    from ..network.bridges import sweep_links
    from .look_at_host_firewall import close_host_firewall

    with doing(f"remove network {name}"), lock(engine.paths, "network"):
        with engine.database.transaction() as transaction:
            network = existing_network(transaction, name)
            attached = sorted(
                {
                    container_name(transaction, endpoint.container_id)
                    for endpoint in endpoints_in(transaction, network.name)
                }
            )
            if attached:
                raise Conflict(
                    f"connected to it: {', '.join(attached)}",
                    "remove or disconnect the containers first",
                    containers=attached,
                )
            if network.open_host_firewall:
                close_host_firewall(engine, network)
            delete_network(transaction, network.name)
        note(engine, "network", "destroy", network.id, name=network.name, type=network.driver)
        sweep_links(network_snapshot(engine))
