# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The network namespace of a container's run, and its interfaces.

    <run_root>/netns/<id>    made when the run is prepared, gone when it is over; of a container that is on
                             networks of the engine

What a crash leaves: the namespace, which the next start or the end of the run finds by its place, and its
links by the state file. A reboot takes both.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.attachments import (
    attachments_of,
    has_interfaces,
    is_postponed,
    joined_container,
    joined_namespace,
    network_mode,
)
from ..container.records import ContainerRecord, find_container
from ..container.status import living_processes
from ..errors import CleanupFailed, Conflict, InvalidInput, NotFound, collecting
from ..linux.files import make_private_directory
from ..linux.locks import lock
from ..linux.namespaces import create_network_namespace, is_network_namespace, remove_network_namespace
from ..network.model import BRIDGE, Endpoint, Network
from ..network.records import endpoints_of, find_network
from .install_firewall_unit import install_firewall_unit
from .network_snapshot import network_snapshot
from .refresh_network import refresh_network

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..state.database import Reader


def attach_network(engine: Engine, record: ContainerRecord) -> str:
    """The network namespace that the runtime is to use; empty: one that it makes, or that of the host.

    The runtime does not look for interfaces: they are made while it works (`open_network`), unless it is to
    change settings of theirs.
    """
    mode = attachments_of(record.config).mode
    if joined_container(mode):
        return _namespace_of_running(engine, joined_of(engine, record))
    if joined_namespace(mode):
        return _checked_namespace(joined_namespace(mode))
    if not has_interfaces(mode):
        return ""
    install_firewall_unit(engine)
    path = engine.paths.network_namespace(record.id)
    make_private_directory(engine.paths.netns)
    create_network_namespace(path)
    if _has_network_settings(record):
        connect_endpoints(engine, record)
    return path


def open_network(engine: Engine, record: ContainerRecord) -> None:
    """Make the interfaces, but for those that wait for what the container to be replaced has, and let
    firewall and names know of them before the program runs; nothing to do for a container without any.
    """
    if not has_interfaces(network_mode(record.config)):
        return
    if not _has_network_settings(record):
        connect_endpoints(engine, record)
    if record.state.replaces is None:
        refresh_network(engine)


def _has_network_settings(record: ContainerRecord) -> bool:
    return any(name.startswith("net.") for name in record.config.sysctls or ())


def connect_endpoints(engine: Engine, record: ContainerRecord) -> None:
    """Make the interfaces that the state file says, and the routes that follow. Fine for those that are
    there.

    Read under the lock: a task may be changing a network.
    """
    with lock(engine.paths, "network"):
        connect_endpoints_locked(engine, record)


def connect_endpoints_locked(engine: Engine, record: ContainerRecord) -> None:
    """The same for who holds the lock `network`."""
    from ..network.endpoints import connect, set_default_route

    path = engine.paths.network_namespace(record.id)
    places = _places(engine.records.read(), record)
    for network, endpoint in places:
        connect(network, endpoint, path, engine.paths.instance)
    set_default_route(places, path)


def detach_network(engine: Engine, record: ContainerRecord) -> None:
    """The run is over, and the record says so. Fine if there is nothing of it."""
    path = engine.paths.network_namespace(record.id)
    if not os.path.lexists(path):
        return
    errors: list[BaseException] = []
    leaving = [Endpoint.from_json(text) for text in record.state.rewiring or ()]
    disconnect_endpoints(engine, record, [*endpoints_of(engine.records.read(), record.id), *leaving], errors)
    with collecting(errors):
        refresh_network(engine)
    # At last: it is what brings the next writer here if we are killed.
    with collecting(errors):
        remove_network_namespace(path)
    if errors:
        raise CleanupFailed("take it off its networks", errors)


def disconnect_endpoints(
    engine: Engine, record: ContainerRecord, endpoints: t.Iterable[Endpoint], errors: list[BaseException]
) -> None:
    """All of them, and then whatever of this engine is on the host and nobody needs; what went wrong is added
    to `errors`. A network that is gone has taken its links along.
    """
    from ..network.bridges import sweep_links
    from ..network.endpoints import disconnect

    path = engine.paths.network_namespace(record.id)
    with contextlib.ExitStack() as stack:
        with collecting(errors):
            stack.enter_context(lock(engine.paths, "network"))
        for endpoint in endpoints:
            network = find_network(engine.records.read(), endpoint.network)
            if network is not None and network.driver != BRIDGE:  # those of a bridge are swept, all at once
                with collecting(errors):
                    disconnect(network, endpoint, path)
        with collecting(errors):
            sweep_links(network_snapshot(engine))


def joined_of(engine: Engine, record: ContainerRecord) -> ContainerRecord:
    """The container whose network this one shares. NotFound."""
    name = joined_container(attachments_of(record.config).mode)
    found = find_container(engine.records, name)
    if found is None:
        raise NotFound(f"network_mode: there is no container {name}", "make and start it first")
    return found


def _places(reader: Reader, record: ContainerRecord) -> list[tuple[Network, Endpoint]]:
    items = {item["name"]: item for item in attachments_of(record.config).networks}
    places = []
    for endpoint in endpoints_of(reader, record.id):
        network = find_network(reader, endpoint.network)
        if network is not None and not is_postponed(
            items.get(network.name, {}), endpoint.addresses, endpoint.mac, network.offers
        ):
            places.append((network, endpoint))
    return places


def _namespace_of_running(engine: Engine, joined: ContainerRecord) -> str:
    init = living_processes(engine.paths, joined).init
    if init is None:
        raise Conflict(f"network_mode: container {joined.name} does not run", "start it first")
    path = engine.paths.network_namespace(joined.id)
    return path if os.path.exists(path) else f"/proc/{init.pid}/ns/net"


def _checked_namespace(path: str) -> str:
    if not is_network_namespace(path):
        raise InvalidInput(f"network_mode: {path} is not a network namespace", "make it with ip netns add")
    return path
