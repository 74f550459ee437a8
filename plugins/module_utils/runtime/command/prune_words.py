# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the words that prune have in common: the question, the doing, and how it is told."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import CoracleError, InvalidInput

if t.TYPE_CHECKING:
    from ..reconcile.prune import Pruned, PruneRequest
    from ..reconcile.prune_filters import Filters
    from .context import Context

_HEADERS = {
    "containers": "Deleted Containers:",
    "networks": "Deleted Networks:",
    "volumes": "Deleted Volumes:",
    "images": "Deleted Images:",
    "logs": "Shortened Logs:",
}


def add_prune_flags(parser: argparse.ArgumentParser, keys: t.Iterable[str]) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="Do not prompt for confirmation")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="filter",
        help=f"Provide filter values ({', '.join(keys)}; for example until=24h)",
    )
    parser.add_argument(
        "--keep", action="append", default=[], metavar="pattern", help="Names of what stays, like 'web*'"
    )
    parser.add_argument("--dry-run", action="store_true", help="Only tell what would be removed")


def read_filters(kind: str, texts: t.Iterable[str], **more: str) -> Filters:
    """`--filter key=value` and `label!=…`, and what other flags mean."""
    from ..reconcile.prune_filters import parse_filters

    given: dict[str, list[str]] = {key: [value] for key, value in more.items()}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"invalid filter {text!r}", "write key=value")
        given.setdefault(key.strip().lower(), []).append(value)
    return parse_filters(kind, given, "--filter")


def prune(
    context: Context, options: argparse.Namespace, what: str, warning: str, request: PruneRequest
) -> int:
    """`what` is pruned; `warning` says what that is. The exit code: 1 where the person did not want it."""
    from ..reconcile.prune import plan_prune

    request = request._replace(keep=tuple(options.keep))
    if not (options.force or options.dry_run or context.json):
        _announce(context, warning, options.filter)
        if not context.confirms("Are you sure you want to continue?"):
            raise CoracleError(f"{what} prune has been cancelled")
    planned = plan_prune(context.engine, request)
    pruned = planned.predict() if options.dry_run else planned.execute(context.engine)
    context.engine.warn(*pruned.warnings)
    _tell(context, pruned, options.dry_run)
    return 0


def _announce(context: Context, warning: str, filters: t.Sequence[str]) -> None:
    context.err.write(f"WARNING! {warning}\n")
    if filters:
        context.err.write("\n  Items to be pruned will be filtered with:\n")
        context.err.write("".join(f"  - {text}\n" for text in filters) + "\n")


def _tell(context: Context, pruned: Pruned, dry: bool) -> None:
    total = sum(pruned.reclaimed.values())
    if context.json:
        context.say_json({**pruned.entries, "reclaimed": pruned.reclaimed, "space_reclaimed": total})
        return
    from .units import human_size

    for kind, header in _HEADERS.items():
        if pruned.entries[kind]:
            lines = [_line(entry) for entry in pruned.entries[kind]]
            context.say(
                "\n".join([f"Would be {header[0].lower()}{header[1:]}" if dry else header, *lines, ""])
            )
    context.say(f"Total {'reclaimable' if dry else 'reclaimed'} space: {human_size(total, 4)}")


def _line(entry: str | dict[str, str]) -> str:
    if isinstance(entry, str):
        return entry
    return "\n".join(f"{key.lower()}: {value}" for key, value in entry.items())
