# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Create a network: a row. The host's links are made when the first container connects."""

from __future__ import annotations

import os
import typing as t

from ..errors import Conflict, doing
from ..linux.processes import now
from ..network.model import Network
from ..network.options import NetworkOptions
from ..network.records import find_network, insert_network
from .choose_network import choose_network
from .history import note

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..network.links import HostView
    from ..state.database import Reader, Transaction


def create_network(engine: Engine, name: str, options: NetworkOptions) -> Network:
    """The new network; Conflict when somebody has made one of that name meanwhile."""
    with doing(f"create network {name}"):
        view = look_at_host()
        with engine.database.transaction() as transaction:
            if find_network(transaction, name) is not None:
                raise Conflict("it exists already", "run the task again")
            network = add_network(transaction, engine, name, options, view)
        note(engine, "network", "create", network.id, name=name, type=network.driver)
        return network


def add_network(
    transaction: Transaction, engine: Engine, name: str, options: NetworkOptions, view: HostView
) -> Network:
    nameless = Network(name, os.urandom(32).hex(), options.driver, now())
    network = choose_network(transaction, engine.paths, options, nameless, lambda: view)
    insert_network(transaction, network)
    return network


def look_at_host() -> HostView:
    """To be done before a transaction begins: it takes longer than others should wait."""
    from ..network.links import host_view

    return host_view()


def existing_network(reader: Reader, name: str) -> Network:
    found = find_network(reader, name)
    if found is None:
        raise Conflict(f"network {name} is gone", "another task has removed it: run the task again")
    return found
