# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle image prune`: remove images that no container uses."""

from __future__ import annotations

import argparse
import typing as t

from .prune_words import add_prune_flags, prune, read_filters

if t.TYPE_CHECKING:
    from .context import Context


_DANGLING = "This will remove all dangling images."
_ALL = "This will remove all images without at least one container associated to them."


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="Remove all unused images")
    parser.add_argument(
        "--keep-last",
        type=int,
        default=0,
        metavar="int",
        help="Remove unused images, but the newest of each repository, so many of them",
    )
    add_prune_flags(parser, ("label", "label!", "until"))
    parser.epilog = """
        coracle image prune
        coracle image prune -a --keep-last 3 --keep nginx
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..reconcile.prune import PruneRequest

    everything = {"dangling": "false"} if options.all else {}
    request = PruneRequest(
        images=read_filters("images", options.filter, **everything), keep_last=options.keep_last
    )
    warning = _ALL if options.all or options.keep_last else _DANGLING
    return prune(context, options, "image", warning, request)
