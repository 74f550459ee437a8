# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network prune`: remove networks that no container is on."""

from __future__ import annotations

import argparse
import typing as t

from .prune_words import add_prune_flags, prune, read_filters

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    add_prune_flags(parser, ("label", "label!", "until"))
    parser.epilog = "coracle network prune --filter until=24h"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..reconcile.prune import PruneRequest

    request = PruneRequest(networks=read_filters("networks", options.filter))
    warning = "This will remove all custom networks not used by at least one container."
    return prune(context, options, "network", warning, request)
