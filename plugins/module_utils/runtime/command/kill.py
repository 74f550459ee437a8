# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle kill`: send a signal to a container's program."""

from __future__ import annotations

import argparse
import typing as t

from ..container.values import parse_signal
from ..errors import Conflict
from .each import for_each
from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-s", "--signal", default="KILL", metavar="string", help="Signal to send to the container"
    )
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    parser.epilog = "coracle kill -s HUP web     have it read its configuration again"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.kill_container import kill_container

    signal = parse_signal(options.signal, "--signal")

    def kill(name: str) -> None:
        record = find_container(context, name)
        try:
            kill_container(context.engine, record.id, signal)
        except Conflict as error:
            raise Conflict(f"Cannot kill container: {name}: container {record.id} is not running") from error

    return for_each(context, options.containers, kill)
