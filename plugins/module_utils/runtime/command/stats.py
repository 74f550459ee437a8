# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle stats`: what containers use, once or until somebody has seen enough."""

from __future__ import annotations

import argparse
import json
import time
import typing as t

from .lookup import find_container
from .table import Column, Row, add_format, print_rows

if t.TYPE_CHECKING:
    from ..container.stats import Sample
    from ..operations.look_at_containers import Seen
    from .context import Context

COLUMNS = (
    Column("Container", "CONTAINER"),
    Column("ID", "CONTAINER ID"),
    Column("Name", "NAME"),
    Column("CPUPerc", "CPU %"),
    Column("MemUsage", "MEM USAGE / LIMIT"),
    Column("MemPerc", "MEM %"),
    Column("NetIO", "NET I/O"),
    Column("BlockIO", "BLOCK I/O"),
    Column("PIDs", "PIDS"),
)
_SHOWN = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
_INTERVAL = 1.0  # seconds between two looks
_CLEAR = "\033[H\033[J"

Samples = dict[tuple[str, int], "Sample"]
"""By container and the PID of its program, which is another one after a restart."""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="Show all containers, running or not")
    add_format(parser, COLUMNS)
    parser.add_argument("--no-stream", action="store_true", help="Look once and end")
    parser.add_argument("--no-trunc", action="store_true", help="Don't truncate output")
    parser.add_argument("containers", nargs="*", metavar="CONTAINER")
    parser.epilog = """
        coracle stats                               everything that runs, until Ctrl-C
        coracle stats --no-stream web db
        coracle stats --no-stream --format 'table {{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}'
    """


def run(context: Context, options: argparse.Namespace) -> int:
    names = {find_container(context, text).id: text for text in options.containers}
    before = _samples(context, _seen(context, names, options.all))
    while True:
        time.sleep(_INTERVAL)
        seen = _seen(context, names, options.all)
        samples = _samples(context, seen)
        rows = [_row(each, names, samples, before, options.no_trunc) for each in seen]
        _show(context, rows, options)
        if options.no_stream:
            return 0
        before = samples


def _seen(context: Context, names: t.Mapping[str, str], everything: bool) -> list[Seen]:
    """Those that were named, as long as they are there; else those that run, or all."""
    from ..container.records import list_containers
    from ..operations.look_at_containers import look_at

    records = [
        record
        for record in list_containers(context.engine.records, damaged=[])
        if not names or record.id in names
    ]
    return [each for each in look_at(context.engine, records) if names or everything or each.status.alive]


def _samples(context: Context, seen: t.Sequence[Seen]) -> Samples:
    from ..operations.measure_containers import take_samples

    found = zip(seen, take_samples(context.engine, seen))
    return {(each.record.id, each.status.pid): sample for each, sample in found if sample}


def _row(each: Seen, names: t.Mapping[str, str], samples: Samples, before: Samples, whole: bool) -> Row:
    from ..container.stats import first_sample, stats_of
    from .units import binary_size, human_size

    record, status = each
    row = {
        "Container": names.get(record.id, record.id if whole else record.id[:12]),
        "ID": record.id if whole else record.id[:12],
        "Name": record.name,
    }
    key = (record.id, status.pid)
    sample = samples.get(key)
    if sample is None:
        nothing = "-- / --"
        return {
            **row, "CPUPerc": "--", "MemUsage": nothing, "MemPerc": "--", "NetIO": nothing,
            "BlockIO": nothing, "PIDs": "--",
        }  # fmt: skip
    use = stats_of(sample, before.get(key) or first_sample(status.pid, sample))
    return {
        **row,
        "CPUPerc": f"{use['CPU']:.2f}%",
        "MemUsage": f"{binary_size(use['MemUsage'])} / {binary_size(use['MemLimit'])}",
        "MemPerc": f"{use['MemPerc']:.2f}%",
        "NetIO": f"{human_size(use['NetInput'])} / {human_size(use['NetOutput'])}",
        "BlockIO": f"{human_size(use['BlockInput'])} / {human_size(use['BlockOutput'])}",
        "PIDs": str(use["PIDs"]),
    }


def _show(context: Context, rows: t.Sequence[Row], options: argparse.Namespace) -> None:
    if context.json and not options.no_stream:
        context.say(json.dumps(rows, ensure_ascii=False))
        return
    if not options.no_stream and context.out.isatty():
        context.out.write(_CLEAR)
    print_rows(context, COLUMNS, rows, shown=_SHOWN, form=options.format)
    context.out.flush()
