# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle logs`: what a container has written, and what it writes.

Bytes come out as the program wrote them: its standard output on ours, its standard error on ours.
"""

from __future__ import annotations

import argparse
import json
import typing as t

from ..container.log_lines import LogLine, LogQuery
from ..container.log_values import check_readable
from .lookup import find_container

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--details", action="store_true", help="Show extra details provided to logs")
    parser.add_argument("-f", "--follow", action="store_true", help="Go on with what comes")
    parser.add_argument(
        "--since", metavar="string", help='Only from then on: a time, or "42m" for 42 minutes ago'
    )
    parser.add_argument(
        "--until", metavar="string", help='Only up to then: a time, or "42m" for 42 minutes ago'
    )
    parser.add_argument("-n", "--tail", default="all", metavar="string", help="Number of lines from the end")
    parser.add_argument("-t", "--timestamps", action="store_true", help="Begin every line with its time")
    parser.add_argument("container", metavar="CONTAINER")
    parser.epilog = """
        coracle logs -f --tail 20 web               the last lines, and what comes
        coracle logs --since 10m shop 2>&1 | grep -i error
        coracle logs -t --since 2026-11-24T13:00:00Z --until 2026-11-24T13:05:00Z db
    """


def run(context: Context, options: argparse.Namespace) -> int:
    query = _query(options)
    record = find_container(context, options.container)
    shown = Shown(options.timestamps, _details(record) if options.details else None)
    check_readable(record)
    if options.follow:
        from ..operations.follow_logs import follow_logs

        for line in follow_logs(context.engine, record, query):
            if context.json:
                context.say(json.dumps(_entry(line), ensure_ascii=False))
            else:
                _write(context, line, shown)
        return 0
    from ..container.log_lines import read_lines

    lines, _truncated = read_lines(context.engine.paths, record.id, query, limit=1 << 62)
    if context.json:
        context.say_json([_entry(line) for line in lines])
        return 0
    for line in lines:
        _write(context, line, shown)
    return 0


def _query(options: argparse.Namespace) -> LogQuery:
    from ..container.moments import parse_moment

    return LogQuery(
        tail=int(options.tail) if options.tail.isdigit() else None,
        since=parse_moment(options.since, "--since") if options.since else "",
        until=parse_moment(options.until, "--until") if options.until else "",
    )


def _details(record: ContainerRecord) -> str:
    """`LEVEL=debug,tier=db`: labels and variables that the log options `labels` and `env` name."""
    from urllib.parse import quote_plus

    asked = record.config.log_options or {}
    given = {"labels": record.config.labels or {}, "env": record.config.env or {}}
    found = {
        name: values[name]
        for option, values in given.items()
        for name in asked.get(option, "").split(",")
        if name in values
    }
    return ",".join(f"{quote_plus(name)}={quote_plus(found[name])}" for name in sorted(found))


class Shown(t.NamedTuple):
    """What stands before a line; `details` None: none."""

    timestamps: bool
    details: str | None


def _write(context: Context, line: LogLine, shown: Shown) -> None:
    """At once: both streams may go to the same place, where their order shall be the one in the log."""
    stream = context.err if line.stream == "stderr" else context.out
    time = f"{line.time} " if shown.timestamps else ""
    details = "" if shown.details is None else f"{shown.details} "
    stream.buffer.write((time + details).encode() + line.text + (b"\n" if line.complete else b""))
    stream.buffer.flush()


def _entry(line: LogLine) -> dict[str, str]:
    return {"time": line.time, "stream": line.stream, "line": line.text.decode("utf-8", "replace")}
