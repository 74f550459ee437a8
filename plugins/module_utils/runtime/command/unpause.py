# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle unpause`: let a paused container go on."""

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
    from ..operations.pause_container import resume_container

    def resume(name: str) -> None:
        record = find_container(context, name)
        if observe(context.engine, record).status != "paused":
            raise Conflict(f"Container {name} is not paused")
        resume_container(context.engine, record.id)

    return for_each(context, options.containers, resume)
