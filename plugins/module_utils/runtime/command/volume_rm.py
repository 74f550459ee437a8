# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle volume rm`"""

from __future__ import annotations

import argparse
import typing as t

from ..errors import NotFound
from .each import for_each
from .lookup import find_volume

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="Fine if there is no such volume")
    parser.add_argument("volumes", nargs="+", metavar="VOLUME")
    parser.epilog = "coracle volume rm data"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.remove_volume import remove_volume

    def remove(text: str) -> str | None:
        try:
            remove_volume(context.engine, find_volume(context, text).name)
        except NotFound:
            if not options.force:
                raise
        return None

    return for_each(context, options.volumes, remove)
