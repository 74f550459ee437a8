# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The places of containers on a network that is going to change. Looks, changes nothing."""

from __future__ import annotations

import typing as t

from ..container.attachments import attachments_of, fixed_addresses
from ..container.records import find_container_in
from ..network import addresses
from ..network.model import IPVLAN, Endpoint, Network
from .occupy_network import mac_of

if t.TYPE_CHECKING:
    from ..state.database import Reader


def move_endpoints(rows: Reader, network: Network, endpoints: t.Sequence[Endpoint]) -> list[Endpoint]:
    """What becomes of them on the network as it will be. Conflict if there is no room."""
    asked = {endpoint.container_id: asked_addresses(rows, endpoint) for endpoint in endpoints}
    moved = addresses.move_endpoints(network, endpoints, asked)
    if network.driver == IPVLAN:
        return moved  # all have the MAC of the parent; their own are kept for later
    return [endpoint._replace(mac=endpoint.mac or mac_of(endpoint.addresses)) for endpoint in moved]


def asked_addresses(rows: Reader, endpoint: Endpoint) -> list[str]:
    """Those that the container's own options name."""
    record = find_container_in(rows, endpoint.container_id)
    items = attachments_of(record.config).networks if record else ()
    return [
        address for item in items if item["name"] == endpoint.network for address in fixed_addresses(item)
    ]
