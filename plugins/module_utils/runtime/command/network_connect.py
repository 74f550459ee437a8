# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network connect`: put a container on a network, running or not."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import Conflict
from .lookup import find_container, find_network

if t.TYPE_CHECKING:
    from ..container.attachments import Item
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    for flag, text in (
        ("--alias", "Add network-scoped alias for the container"),
        ("--link", "Add link to another container"),
    ):
        parser.add_argument(flag, action="append", default=[], metavar="list", help=text)
    parser.add_argument("--ip", metavar="ip", help="IPv4 address (for example 172.30.100.104)")
    parser.add_argument("--ip6", metavar="ip", help="IPv6 address (for example 2001:db8::33)")
    add_names(parser)
    parser.epilog = """
        coracle network connect backend web
        coracle network connect --alias db --ip 10.0.7.20 backend postgres
    """


def add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("container", metavar="CONTAINER")


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.connect_network import connect_network

    def refuse(container: ContainerRecord, network: str) -> str:
        return f"endpoint with name {container.name} already exists in network {network}"

    def connect(engine: Engine, container: str, network: str) -> object:
        return connect_network(engine, container, network, _asked(options, network))

    return change_membership(context, options, connect, True, refuse)


def _asked(options: argparse.Namespace, network: str) -> Item | None:
    """None where nothing is asked for: then what the container's own options say of the network holds."""
    from ..container.network_values import parse_networks
    from .container_texts import asked_of_network

    given = asked_of_network(options, options.alias)
    return parse_networks([{"name": network, **given}], "networks")[0] if given else None


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
