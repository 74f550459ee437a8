# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Give a network other links under containers that run: their interfaces on it go and come again, with the
same MAC, and with the same addresses as far as the network still has them. Containers notice nothing else.

    1  records of the network (`unfinished`) and of all places on it, in one transaction
    2  old links off, new links on, firewall, names
    3  the network is finished

All with the lock `network` held. An error in 2 puts the old ones back. A crash leaves an unfinished network:
2 and 3 are repeated by the next task of any module (`finish_network`, reconcile/repairs.py).
"""

from __future__ import annotations

import contextlib
import typing as t

from ..errors import CoracleError, doing
from ..linux.locks import lock
from ..linux.namespaces import is_network_namespace
from ..network.model import BRIDGE, IPVLAN, MACVLAN, Endpoint, Network, bridge_name
from ..network.options import NetworkOptions
from ..network.records import (
    delete_endpoint,
    endpoints_in,
    find_network,
    list_networks,
    save_endpoint,
    save_network,
)
from .choose_network import choose_network
from .create_network import existing_network, look_at_host
from .move_endpoints import move_endpoints
from .network_snapshot import network_snapshot, network_view

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from ..network.links import HostView
    from ..state.database import Transaction


def replace_network(engine: Engine, name: str, options: NetworkOptions) -> None:
    with doing(f"replace network {name}"):
        view = look_at_host()
        with lock(engine.paths, "network"):
            _close_host_firewall(engine, name, options)
            before, endpoints = _record(engine, name, options, view)
            try:
                _lay_links(engine, name)
            except BaseException:
                with contextlib.suppress(CoracleError, OSError):  # the next task tries again
                    _put_back(engine, before, endpoints)
                raise


def finish_network(engine: Engine, name: str) -> None:
    """Complete what a task that was killed has begun. Fine if there is nothing to do."""
    with doing(f"finish the change of network {name}"), lock(engine.paths, "network"):
        network = find_network(engine.database.read(), name)
        if network is not None and network.unfinished:
            _lay_links(engine, name)


def running_on(engine: Engine, name: str) -> list[tuple[Endpoint, ContainerRecord]]:
    """Places on it of containers that have a network namespace now."""
    snapshot, records = network_view(engine)
    return [
        (endpoint, records[endpoint.container_id])
        for endpoint in snapshot.endpoints
        if endpoint.network == name
        and is_network_namespace(engine.paths.network_namespace(endpoint.container_id))
    ]


def follow_network(engine: Engine, name: str) -> None:
    """Firewall and names as the records have it, also for connections that there are; then nothing is
    unfinished any more. With the lock held.
    """
    from .update_firewall import update_firewall_locked
    from .update_names import update_names_locked

    update_firewall_locked(engine)
    _end_strange_connections(engine, name)
    engine.warn(*update_names_locked(engine))
    with engine.database.transaction() as transaction:
        save_network(transaction, existing_network(transaction, name)._replace(unfinished=False))


def _close_host_firewall(engine: Engine, name: str, options: NetworkOptions) -> None:
    """While the record still says that it may be open; unless it is to stay so, for the same bridge."""
    network = existing_network(engine.records.read(), name)
    bridge = options.bridge or bridge_name(network.id)
    stays = options.open_host_firewall and options.driver == network.driver and bridge == network.bridge
    if network.open_host_firewall and not stays:
        from .look_at_host_firewall import close_host_firewall

        close_host_firewall(engine, network)


def _end_strange_connections(engine: Engine, name: str) -> None:
    """A network that has become isolated is so at once."""
    rows = engine.records.read()
    network = find_network(rows, name)
    if network is not None and network.isolated and network.driver == BRIDGE:
        from ..network.strangers import forget_strangers

        forget_strangers(network, list_networks(rows))


# Records


def _record(
    engine: Engine, name: str, options: NetworkOptions, view: HostView
) -> tuple[Network, list[Endpoint]]:
    """What was there before."""
    with engine.database.transaction() as transaction:
        before = existing_network(transaction, name)
        after = choose_network(transaction, engine.paths, options, before, lambda: view)
        endpoints = endpoints_in(transaction, name)
        _save(transaction, after, move_endpoints(transaction, after, endpoints))
    return before, endpoints


def _put_back(engine: Engine, before: Network, endpoints: t.Sequence[Endpoint]) -> None:
    with engine.database.transaction() as transaction:
        _save(transaction, before, endpoints)
    _lay_links(engine, before.name)


def _save(transaction: Transaction, network: Network, endpoints: t.Sequence[Endpoint]) -> None:
    save_network(transaction, network._replace(unfinished=True))
    for endpoint in endpoints:  # first all addresses are free: they may have changed places
        delete_endpoint(transaction, endpoint.container_id, network.name)
    for endpoint in endpoints:
        save_endpoint(transaction, endpoint)


# Links


def _lay_links(engine: Engine, name: str) -> None:
    """Make the links those of the records, whatever there was."""
    from ..network.bridges import sweep_links
    from ..network.endpoints import disconnect
    from .attach_network import connect_endpoints_locked

    network = find_network(engine.database.read(), name)
    if network is None:
        return
    running = running_on(engine, name)
    for endpoint, record in running:
        for driver in (MACVLAN, IPVLAN):  # pairs are found from the host's side
            path = engine.paths.network_namespace(record.id)
            disconnect(network._replace(driver=driver), endpoint, path)
    snapshot = network_snapshot(engine)
    others = tuple(endpoint for endpoint in snapshot.endpoints if endpoint.network != name)
    sweep_links(snapshot._replace(endpoints=others))
    for _endpoint, record in running:
        connect_endpoints_locked(engine, record)
    follow_network(engine, name)
