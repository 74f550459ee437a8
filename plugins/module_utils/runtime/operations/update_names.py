# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers find each other by name: bring the DNS server and the hosts files of those that run up to date.

A pure function of what the state file says, so whoever has changed something calls it, and so does whoever
finds the server gone. Where no server can be (it is not installed, its port is taken, the driver has no place
for one), the hosts files of all members say the names.
"""

from __future__ import annotations

import collections
import typing as t

from ..container.attachments import has_interfaces, network_mode
from ..container.host_files import Hosts, is_written, resolver_for_containers, update_host_files
from ..errors import CoracleError
from ..linux.locks import lock
from ..network.model import Endpoint, Network, Snapshot
from ..network.name_server import can_serve, listening_addresses, serve
from ..network.names import names_of, zones
from .network_snapshot import network_view
from .write_host_files import host_files_of

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def update_names(engine: Engine) -> list[str]:
    """When it returns the server answers with the new names. The warnings are the same until what they say
    has changed.
    """
    with lock(engine.paths, "network"):
        return update_names_locked(engine)


def update_names_locked(
    engine: Engine, view: tuple[Snapshot, t.Mapping[str, ContainerRecord]] | None = None
) -> list[str]:
    """The same for who holds the lock `network`, and may have taken a view of it since."""
    snapshot, records = view or network_view(engine)
    used = {endpoint.network for endpoint in snapshot.endpoints}
    networks = [network for network in snapshot.networks if network.name in used]
    listen = {network.id: listening_addresses(network) for network in networks}
    wanted = zones(snapshot, listen)
    unserved = serve(engine.paths, wanted)
    served = {zone.network_id for zone in wanted} - {each.network_id for each in unserved}
    # A bridge that is not there yet: its first container is being prepared.
    served.update(
        network.id for network in networks if not listen[network.id] and can_serve(engine.paths, network)
    )
    warnings = _update_files(engine, snapshot, records, served)
    names = {network.id: network.name for network in networks}
    return warnings + [
        f"network {names[each.network_id]}: {each.reason}, so containers there know each other by their"
        " hosts files only, which not every program reads"
        for each in unserved
    ]


def _update_files(
    engine: Engine, snapshot: Snapshot, records: t.Mapping[str, ContainerRecord], served: t.Container[str]
) -> list[str]:
    problems = []
    host = resolver_for_containers()
    endpoints: dict[str, list[Endpoint]] = collections.defaultdict(list)
    for endpoint in sorted(snapshot.endpoints, key=_interface):
        endpoints[endpoint.container_id].append(endpoint)
    for record in records.values():
        directory = engine.paths.container(record.id)
        if not has_interfaces(network_mode(record.config)) or not is_written(directory):
            continue
        places = [(endpoint, snapshot.network_of(endpoint)) for endpoint in endpoints[record.id]]
        others = [entry for place in places for entry in _others(snapshot, *place, served)]
        try:
            update_host_files(directory, host_files_of(record, places, served, host, others))
        except (CoracleError, OSError) as error:
            problems.append(f"container {record.name}: its names cannot be updated: {error}")
    return problems


def _interface(endpoint: Endpoint) -> tuple[int, str]:
    return len(endpoint.interface), endpoint.interface


def _others(snapshot: Snapshot, own: Endpoint, network: Network, served: t.Container[str]) -> Hosts:
    """Names that are known to this container only (links), and those that no server tells."""
    found: list[tuple[str, t.Sequence[str]]] = []
    for endpoint in snapshot.endpoints:
        member = snapshot.members[endpoint.container_id]
        if (
            endpoint.network != network.name
            or not member.is_found
            or endpoint.container_id == own.container_id
        ):
            continue
        names = [alias for name, alias in own.links if name == member.name]
        if network.dns and network.id not in served:
            names += names_of(member, endpoint)
        for version in (4, 6):
            if names and endpoint.address(version):
                found.append((endpoint.address(version), tuple(dict.fromkeys(names))))
    return found
