# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle system prune`: remove what nobody needs, of every kind."""

from __future__ import annotations

import argparse
import typing as t

from .prune_words import add_prune_flags, prune, read_filters

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="Remove all unused images")
    parser.add_argument("--volumes", action="store_true", help="Prune anonymous volumes")
    parser.add_argument("--logs", action="store_true", help="Prune full logs of stopped containers")
    add_prune_flags(parser, ("label", "label!", "until"))
    parser.epilog = """
        coracle system prune --dry-run -a --volumes
        coracle system prune -f --filter until=168h
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..reconcile.prune import PruneRequest

    def filters(kind: str, **more: str) -> t.Any:
        return read_filters(kind, options.filter, **more)

    request = PruneRequest(
        containers=filters("containers"),
        networks=filters("networks"),
        volumes=filters("volumes") if options.volumes else None,
        images=filters("images", **({"dangling": "false"} if options.all else {})),
        logs=filters("logs") if options.logs else None,
    )
    return prune(context, options, "system", _warning(options), request)


def _warning(options: argparse.Namespace) -> str:
    kinds = ["all stopped containers", "all networks not used by at least one container"]
    if options.volumes:
        kinds.append("all anonymous volumes not used by at least one container")
    if options.all:
        kinds.append("all images without at least one container associated to them")
    else:
        kinds.append("all dangling images")
    if options.logs:
        kinds.append("full segments of logs of stopped containers")
    return "\n".join(["This will remove:", *(f"  - {kind}" for kind in kinds), ""])
