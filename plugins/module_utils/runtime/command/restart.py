# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle restart`: stop and start again."""

from __future__ import annotations

import argparse
import typing as t

from .carry_out import bring
from .each import for_each
from .stop import add_ending, read_ending

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    add_ending(parser)
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")


def run(context: Context, options: argparse.Namespace) -> int:
    ending = read_ending(options)
    return for_each(
        context,
        options.containers,
        lambda name: bring(context, name, state="started", restart=True, **ending),
    )
