# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle stop`: ask the program to end, wait, and end it if it does not."""

from __future__ import annotations

import argparse
import typing as t

from ..container.values import parse_seconds, parse_signal
from .carry_out import bring
from .each import for_each

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    add_ending(parser)
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    parser.epilog = """
        coracle stop web            10 seconds (or what the container says) to end
        coracle stop -t 60 db       a minute
    """


def run(context: Context, options: argparse.Namespace) -> int:
    ending = read_ending(options)
    return for_each(
        context,
        options.containers,
        lambda name: bring(context, name, state="stopped", **ending),
    )


def add_ending(parser: argparse.ArgumentParser) -> None:
    """How a container is ended: for `stop` and `restart`."""
    parser.add_argument(
        "-t",
        "--time",
        "--timeout",
        dest="timeout",
        metavar="int",
        help="Seconds to wait before killing the container",
    )
    parser.add_argument("-s", "--signal", metavar="string", help="Signal to send to the container")


def read_ending(options: argparse.Namespace) -> dict[str, t.Any]:
    signal = parse_signal(options.signal, "--signal") if options.signal else None
    return {"stop_timeout": _seconds(options.timeout), "signal": signal}


def _seconds(text: str | None) -> int | None:
    """-1 means for ever to Docker's users; so does a million years."""
    if text is None:
        return None
    return 2**31 if text == "-1" else parse_seconds(text, "--timeout")
