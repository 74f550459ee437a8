# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network disconnect`: take a container off a network, running or not."""

from __future__ import annotations

import typing as t

from . import network_connect

if t.TYPE_CHECKING:
    import argparse

    from ..container.records import ContainerRecord
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--force", action="store_true", help="Force the container to disconnect from a network"
    )
    network_connect.add_names(parser)
    parser.epilog = "coracle network disconnect backend web"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.disconnect_network import disconnect_network

    def refuse(container: ContainerRecord, network: str) -> str:
        return f"container {container.id} is not connected to network {network}"

    return network_connect.change_membership(context, options, disconnect_network, False, refuse)
