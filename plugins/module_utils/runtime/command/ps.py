# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle ps`: the containers, those that run or all of them."""

from __future__ import annotations

import argparse
import typing as t

from .filters import add_filter, parse_filters
from .table import Column, add_format, print_rows

if t.TYPE_CHECKING:
    from ..operations.look_at_containers import Seen
    from .context import Context

COLUMNS = (
    Column("ID", "CONTAINER ID"),
    Column("Image", "IMAGE"),
    Column("Command", "COMMAND"),
    Column("CreatedAt", "CREATED AT"),
    Column("RunningFor", "CREATED"),
    Column("Status", "STATUS"),
    Column("State", "STATE"),
    Column("Ports", "PORTS"),
    Column("Names", "NAMES"),
    Column("Size", "SIZE"),
    Column("Labels", "LABELS"),
    Column("Mounts", "MOUNTS"),
    Column("LocalVolumes", "LOCAL VOLUMES"),
    Column("Networks", "NETWORKS"),
)
FILTERS = (
    "ancestor", "before", "exited", "expose", "health", "id", "label", "name", "network", "publish", "since",
    "status", "volume",
)  # fmt: skip
_SHOWN = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="Show all containers, running or not")
    parser.add_argument("-q", "--quiet", action="store_true", help="Only display container IDs")
    parser.add_argument("-s", "--size", action="store_true", help="Display total file sizes")
    parser.add_argument("-l", "--latest", action="store_true", help="Show the container created last")
    parser.add_argument(
        "-n", "--last", type=int, default=-1, metavar="int", help="Show the n containers created last"
    )
    parser.add_argument("--no-trunc", action="store_true", help="Don't truncate output")
    add_filter(parser, FILTERS, "status=exited")
    add_format(parser, COLUMNS)
    parser.epilog = """
        coracle ps -a --filter status=exited        what has ended, and how
        coracle ps --format '{{.Names}}: {{.Ports}}'
        coracle rm $(coracle ps -aq --filter label=job)
    """


def run(context: Context, options: argparse.Namespace) -> int:
    filters = parse_filters(options.filter, FILTERS)
    last = 1 if options.latest else options.last
    everything = options.all or last > 0 or bool(filters.keys() & {"status", "exited", "health"})
    found = _look(context)
    if filters:
        from .ps_filters import choose

        found = choose(context, found, filters)
    if not everything:
        found = [each for each in found if each.status.status in ("running", "paused", "restarting")]
    if last > 0:
        found = found[:last]
    if options.quiet and not context.json and not options.format:
        width = None if options.no_trunc else 12
        context.out.write("".join(f"{each.record.id[:width]}\n" for each in found))
        return 0
    from .ps_row import row_of

    with_size = options.size or ".Size" in (options.format or "")
    whole = options.no_trunc
    rows = [row_of(context, each.record, each.status, whole=whole, size=with_size) for each in found]
    shown = [*_SHOWN, *(["Size"] if options.size else [])]
    quiet = "ID" if options.quiet else None
    print_rows(context, COLUMNS, rows, shown=shown, form=options.format, quiet=quiet)
    return 0


def _look(context: Context) -> list[Seen]:
    """All of them, the newest first; one whose record is damaged is told about."""
    from ..container.records import list_containers
    from ..operations.look_at_containers import look_at

    damaged: list[BaseException] = []
    records = list_containers(context.engine.records, damaged=damaged)
    for error in damaged:
        context.warn(str(error))
    return look_at(context.engine, records[::-1])
