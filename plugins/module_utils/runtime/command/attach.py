# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle attach`: sit before a container that runs."""

from __future__ import annotations

import argparse
import typing as t

from .lookup import find_container
from .terminal_flags import add_detach_keys, add_sig_proxy

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    add_detach_keys(parser)
    parser.add_argument("--no-stdin", action="store_true", help="Do not attach STDIN")
    add_sig_proxy(parser)
    parser.add_argument("container", metavar="CONTAINER")
    parser.epilog = """
        coracle attach shell                        Ctrl-P Ctrl-Q leaves it running
        coracle attach --detach-keys ctrl-x shell   Ctrl-X does
        coracle attach --no-stdin web               only look
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.attach_container import attach_container

    code = attach_container(
        context.engine,
        find_container(context, options.container).id,
        stdin=not options.no_stdin,
        detach_keys=options.detach_keys,
        sig_proxy=options.sig_proxy,
    )
    return code or 0
