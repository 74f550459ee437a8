# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network connect`: put a container on a network, running or not."""

from __future__ import annotations

import argparse
import typing as t

from .lookup import find_container, find_network

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("container", metavar="CONTAINER")
    parser.epilog = "coracle network connect backend web"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.connect_network import connect_network

    return change_membership(context, options, connect_network)


def change_membership(
    context: Context, options: argparse.Namespace, change: t.Callable[[Engine, str, str], object]
) -> int:
    network = find_network(context, options.network)
    container = find_container(context, options.container)
    change(context.engine, container.id, network.name)
    if context.json:
        context.say_json({"network": network.name, "container": container.name})
    return 0
