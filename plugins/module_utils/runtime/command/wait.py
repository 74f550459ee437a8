# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle wait`: until containers end; their exit codes, in the order in which they were named."""

from __future__ import annotations

import argparse
import typing as t

from .each import for_each
from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    parser.epilog = """
        coracle wait job                            prints 0, or what it ended with
        test "$(coracle wait job)" = 0 || coracle logs job
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.wait_container import wait_container

    def act(name: str) -> str:
        return str(wait_container(context.engine, find_container(context, name).id))

    if not context.json:
        return for_each(context, options.containers, act)
    codes = {name: int(act(name)) for name in options.containers}
    context.say_json([{"name": name, "exit_code": code} for name, code in codes.items()])
    return 0
