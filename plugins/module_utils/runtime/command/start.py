# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle start`: start containers; with -a or -i stay with one of them."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import InvalidInput
from .carry_out import bring, prepare_start
from .each import for_each
from .lookup import find_container
from .terminal_flags import add_detach_keys, add_sig_proxy

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-a", "--attach", action="store_true", help="Attach STDOUT/STDERR and forward signals"
    )
    parser.add_argument("-i", "--interactive", action="store_true", help="Attach container's STDIN")
    add_detach_keys(parser)
    add_sig_proxy(parser)
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    parser.epilog = """
        coracle start web db
        coracle start -ai shell       what it says, what you type; Ctrl-P Ctrl-Q leaves it running
    """


def run(context: Context, options: argparse.Namespace) -> int:
    if options.attach or options.interactive:
        return _stay(context, options)
    return for_each(
        context,
        options.containers,
        lambda name: bring(context, name, state="started"),
    )


def _stay(context: Context, options: argparse.Namespace) -> int:
    """The exit code of the container; 0 where the person has left it."""
    from ..operations.run_attached import start_attached

    if len(options.containers) > 1:
        raise InvalidInput("you cannot start and attach multiple containers at once")
    record = find_container(context, options.containers[0])
    prepare_start(context, record)
    code = start_attached(
        context.engine,
        record.id,
        stdin=options.interactive and bool(record.config.interactive),
        detach_keys=options.detach_keys,
        sig_proxy=options.sig_proxy,
    )
    return code or 0
