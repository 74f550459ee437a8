# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Change the networks and ports of a container, also while it runs: same id, same process.

    one transaction    addresses, ports and options as they shall be, and which interfaces have to go
    links              those go, the others are made, routes follow
    record             it is done
    firewall, names    follow

A failure puts everything back as it was. A kill leaves `state.rewiring` in the record, and the next task does
what is left to do (repair_container.py).
"""

from __future__ import annotations

import os
import typing as t

from ..container.records import ContainerRecord, save_config, save_state
from ..errors import CleanupFailed, CoracleError, collecting
from ..network.model import Endpoint, PublishedPort
from ..network.records import (
    delete_endpoint,
    delete_ports,
    endpoints_of,
    insert_port,
    ports_of,
    save_endpoint,
)
from .attach_network import connect_endpoints, disconnect_endpoints
from .locked_container import save
from .refresh_network import refresh_network

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..engine import Engine
    from ..state.database import Reader, Transaction


class _Wiring(t.NamedTuple):
    config: ContainerConfig
    endpoints: list[Endpoint]
    ports: list[PublishedPort]


def rewire_container(
    engine: Engine,
    record: ContainerRecord,
    change: t.Callable[[Transaction], object],
    config: ContainerConfig | None = None,
) -> None:
    """`change` alters the container's rows; with `config` its options are that. Its lock is held."""
    with engine.database.transaction() as transaction:
        before = _wiring(transaction, record)
        change(transaction)
        record.config = config or record.config
        after = _wiring(transaction, record)
        save_config(transaction, record)
        unfinished = record.state.rewiring is not None
        changes = unfinished or before[1:] != after[1:]
        changes = changes and os.path.exists(engine.paths.network_namespace(record.id))
        if changes:
            _note(transaction, record, before.endpoints, after.endpoints)
    if not changes:
        return
    try:
        settle_wiring(engine, record)
    except BaseException as error:
        _put_back(engine, record, before, after, error)
        raise


def settle_wiring(engine: Engine, record: ContainerRecord) -> None:
    """Make true what the state file says about a running container: links first, then what others see."""
    errors: list[BaseException] = []
    leaving = [Endpoint.from_json(text) for text in record.state.rewiring or ()]
    disconnect_endpoints(engine, record, leaving, errors)
    if errors:
        raise CleanupFailed("take away interfaces", errors)
    connect_endpoints(engine, record)
    record.state.rewiring = None
    save(engine, record)
    refresh_network(engine)


def _wiring(reader: Reader, record: ContainerRecord) -> _Wiring:
    return _Wiring(record.config, endpoints_of(reader, record.id), ports_of(reader, record.id))


def _note(
    transaction: Transaction, record: ContainerRecord, there: list[Endpoint], wanted: list[Endpoint]
) -> None:
    """Put down which interfaces have to go."""
    stays = {endpoint.id for endpoint in wanted}
    # Those of a change that was killed, too.
    earlier = [Endpoint.from_json(text) for text in record.state.rewiring or ()]
    leaving = {each.id: each for each in (*earlier, *there) if each.id not in stays}
    record.state.rewiring = [each.to_json() for each in leaving.values()]
    save_state(transaction, record)


def _put_back(
    engine: Engine, record: ContainerRecord, before: _Wiring, after: _Wiring, error: BaseException
) -> None:
    fate: list[BaseException] = []
    with collecting(fate):
        with engine.database.transaction() as transaction:
            for endpoint in after.endpoints:
                delete_endpoint(transaction, record.id, endpoint.network)
            delete_ports(transaction, record.id)
            for endpoint in before.endpoints:
                save_endpoint(transaction, endpoint)
            for port in before.ports:
                insert_port(transaction, port)
            record.config = before.config
            save_config(transaction, record)
            _note(transaction, record, after.endpoints, before.endpoints)
        settle_wiring(engine, record)
    if fate and isinstance(error, CoracleError):
        error.message += f"; and what was before could not be brought back: {fate[0]}"
