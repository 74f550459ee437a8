# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle container prune`: remove all stopped containers."""

from __future__ import annotations

import argparse
import typing as t

from .prune_words import add_prune_flags, prune, read_filters

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    add_prune_flags(parser, ("label", "label!", "until"))
    parser.epilog = "coracle container prune --filter until=24h --filter label!=keep"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..reconcile.prune import PruneRequest

    request = PruneRequest(containers=read_filters("containers", options.filter))
    return prune(context, options, "container", "This will remove all stopped containers.", request)
