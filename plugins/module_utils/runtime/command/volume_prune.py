# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle volume prune`: remove volumes that no container uses."""

from __future__ import annotations

import argparse
import typing as t

from .prune_words import add_prune_flags, prune, read_filters

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-a", "--all", action="store_true", help="Remove all unused volumes, not just anonymous ones"
    )
    add_prune_flags(parser, ("label", "label!", "until"))
    parser.epilog = "coracle volume prune -a --filter label!=backup"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..reconcile.prune import PruneRequest

    everything = {"all": "true"} if options.all else {}
    request = PruneRequest(volumes=read_filters("volumes", options.filter, **everything))
    kind = "all" if options.all else "anonymous"
    warning = f"This will remove {kind} local volumes not used by at least one container."
    return prune(context, options, "volume", warning, request)
