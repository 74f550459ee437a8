# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network disconnect`: take a container off a network, running or not."""

from __future__ import annotations

import argparse
import typing as t

from .lookup import find_container, find_network

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("container", metavar="CONTAINER")
    parser.epilog = "coracle network disconnect backend web"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.disconnect_network import disconnect_network

    network = find_network(context, options.network)
    container = find_container(context, options.container)
    disconnect_network(context.engine, container.id, network.name)
    if context.json:
        context.say_json({"network": network.name, "container": container.name})
    return 0
