# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Change a network in place: what only the record, firewall, names and routes of running containers know."""

from __future__ import annotations

import typing as t

from ..errors import Conflict, doing
from ..linux.locks import lock
from ..network.model import Network
from ..network.options import NetworkOptions, has_other_links
from ..network.records import save_network
from .choose_network import choose_network
from .create_network import existing_network, look_at_host

if t.TYPE_CHECKING:
    from ..engine import Engine


def update_network(engine: Engine, name: str, options: NetworkOptions) -> None:
    """Conflict where it has changed meanwhile, so that more than this is needed."""
    with doing(f"update network {name}"), lock(engine.paths, "network"):
        _close_host_firewall(engine, name, options)
        with engine.database.transaction() as transaction:
            before = existing_network(transaction, name)
            after = choose_network(transaction, engine.paths, options, before, look_at_host)
            if before.unfinished or has_other_links(before, after):
                raise Conflict("another task has changed it meanwhile", "run the task again")
            concerns_others = _without_labels(before) != _without_labels(after)
            save_network(transaction, after._replace(unfinished=concerns_others))
        if concerns_others:
            _bring_in_line(engine, before, after)


def _close_host_firewall(engine: Engine, name: str, options: NetworkOptions) -> None:
    """While the record still says that it may be open."""
    network = existing_network(engine.records.read(), name)
    if network.open_host_firewall and not options.open_host_firewall:
        from .look_at_host_firewall import close_host_firewall

        close_host_firewall(engine, network)


def _without_labels(network: Network) -> Network:
    return network._replace(labels={}, asked={})


def _bring_in_line(engine: Engine, before: Network, after: Network) -> None:
    """With the lock `network` held."""
    from .replace_network import follow_network, running_on

    if before.routes != after.routes:
        from ..network.endpoints import change_routes

        for endpoint, record in running_on(engine, after.name):
            change_routes(after, endpoint, engine.paths.network_namespace(record.id))
    follow_network(engine, after.name)
