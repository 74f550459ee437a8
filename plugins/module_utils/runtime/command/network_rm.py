# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network rm`"""

from __future__ import annotations

import argparse
import typing as t

from ..errors import NotFound
from .each import for_each
from .lookup import find_network

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="Fine if there is no such network")
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.epilog = "coracle network rm backend"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.remove_network import remove_network

    def remove(text: str) -> str | None:
        try:
            remove_network(context.engine, find_network(context, text).name)
        except NotFound:
            if not options.force:
                raise
        return None

    return for_each(context, options.networks, remove)
