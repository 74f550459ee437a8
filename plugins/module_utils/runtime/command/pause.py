# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle pause`: stop all processes of a container where they are."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import Conflict
from .each import for_each
from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")


def run(context: Context, options: argparse.Namespace) -> int:
    from ..container.status import observe
    from ..operations.pause_container import pause_container

    def pause(name: str) -> None:
        record = find_container(context, name)
        status = observe(context.engine, record).status
        if status == "paused":
            raise Conflict(f"Container {name} is already paused")
        if status != "running":
            raise Conflict(f"Container {name} is not running")
        pause_container(context.engine, record.id)

    return for_each(context, options.containers, pause)
