# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network connect`: put a container on a network, running or not."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import Conflict
from .lookup import find_container, find_network

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("container", metavar="CONTAINER")
    parser.epilog = "coracle network connect backend web"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.connect_network import connect_network

    def refuse(container: ContainerRecord, network: str) -> str:
        return f"endpoint with name {container.name} already exists in network {network}"

    return change_membership(context, options, connect_network, True, refuse)


def change_membership(
    context: Context,
    options: argparse.Namespace,
    change: t.Callable[[Engine, str, str], object],
    connected: bool,
    refuse: t.Callable[[ContainerRecord, str], str],
) -> int:
    """Conflict, as `refuse` says it, where the container is already as it would be made (`connected`). What
    was interrupted is finished all the same.
    """
    from ..operations.occupy_network import endpoint_on

    network = find_network(context, options.network)
    container = find_container(context, options.container)
    endpoint = endpoint_on(context.engine.records.read(), container.id, network.name)
    if (endpoint is not None) is connected and container.state.rewiring is None:
        raise Conflict(refuse(container, network.name))
    change(context.engine, container.id, network.name)
    if context.json:
        context.say_json({"network": network.name, "container": container.name})
    return 0
