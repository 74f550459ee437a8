# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Lines of logs in results: text, whatever a program has written."""

from __future__ import annotations

import re
import typing as t

from ..runtime.container.log_lines import LogLine, LogQuery, read_lines
from ..runtime.container.log_values import check_readable
from ..runtime.container.moments import parse_moment
from ..runtime.container.records import find_container
from ..runtime.container.values import parse_size
from ..runtime.engine import Engine
from ..runtime.errors import InvalidInput, NotFound


def logs_result(engine: Engine, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    query = read_query(params)
    limit = parse_size(params["max_size"], "max_size")
    record = find_container(engine.records, params["name"])
    if record is None:
        raise NotFound(f"there is no container {params['name']}")
    check_readable(record)
    lines, truncated = read_lines(engine.paths, record.id, query, limit)
    tty = bool(record.config.tty)
    texts = [text_of(line, tty=tty, timestamps=params["timestamps"]) for line in lines]
    shapes: dict[str, t.Callable[[], t.Any]] = {
        "lines": lambda: texts,
        "text": lambda: "".join(f"{text}\n" for text in texts),
        "entries": lambda: [entry_of(line, tty=tty) for line in lines],
    }
    return {"truncated": truncated, **{name: shapes[name]() for name in params["format"]}}


def read_query(params: t.Mapping[str, t.Any]) -> LogQuery:
    """From the options `tail`, `since`, `until`, `stream` and `grep`."""
    tail = params["tail"]
    if tail is not None and tail < 0:
        raise InvalidInput(f"tail: {tail} is not a number of lines", "leave it out for all of them")
    return LogQuery(
        tail=tail,
        since=parse_moment(params["since"], "since") if params["since"] else "",
        until=parse_moment(params["until"], "until") if params["until"] else "",
        stream=params["stream"] or "",
        pattern=parse_pattern(params["grep"], "grep") if params["grep"] else None,
    )


def parse_pattern(text: str, option: str) -> re.Pattern[bytes]:
    try:
        return re.compile(text.encode())
    except re.error as error:
        raise InvalidInput(f"{option}: {text!r} is not a regular expression: {error}") from None


def text_of(line: LogLine, *, tty: bool = False, timestamps: bool = False) -> str:
    """Bytes that are not UTF-8 become U+FFFD. A terminal has put a carriage return before every line feed."""
    text = line.text.decode("utf-8", "replace")
    if tty and text.endswith("\r"):
        text = text[:-1]
    return f"{line.time} {text}" if timestamps else text


def entry_of(line: LogLine, *, tty: bool = False) -> dict[str, t.Any]:
    return {"time": line.time, "stream": line.stream, "line": text_of(line, tty=tty)}
