# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The processes of a container as `docker top` shows them: PIDs of the host, read from /proc.

What runs is asked of the control group, so that nothing the container did to its own /proc matters, and
nothing of the container is run. Which columns are shown is told as ps(1) is told: nothing for `-ef`, the
options of ps, or names of columns.
"""

from __future__ import annotations

import typing as t

from ..errors import InvalidInput
from ..linux.process_table import COLUMNS, Column, find_column, read_process

FULL = ("user=UID", "pid", "ppid", "c", "stime", "tname", "time", "cmd")
_BSD_USER = ("user", "pid", "pcpu", "pmem", "vsz", "rss", "tname", "stat", "start", "bsdtime", "command")
_BSD = ("pid", "tname", "stat", "bsdtime", "command")
_SHORT = ("pid", "tname", "time", "comm=CMD")
_HINT = "write names of columns (pid,user,args), or options of ps (-ef, aux, -o pid,args)"


def list_processes(pids: t.Iterable[int], columns: t.Sequence[Column]) -> dict[str, t.Any]:
    """`Titles`, and in `Processes` one list of texts for each, by PID, as the API of Docker has it."""
    rows = []
    for pid in sorted(pids):
        process = read_process(pid)
        if process is not None:
            rows.append([column.value(process) for column in columns])
    return {"Titles": [column.heading for column in columns], "Processes": rows}


def parse_columns(words: t.Sequence[str], option: str) -> list[Column]:
    """From the words that would follow `ps`, or names of columns. InvalidInput for what we do not know."""
    named, style = [], None
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        asked = _format_of(word, remaining)
        if asked is not None:
            named += asked
        elif _is_options(word):
            style = _style_of(word, style, option)
        else:
            named += word.split(",")
    return [_column(name, option) for name in named or style or FULL]


def _format_of(word: str, remaining: list[str]) -> list[str] | None:
    """What `-o pid,args`, `-opid`, `-eo pid`, `o pid` or `--format=pid` ask for."""
    if word.startswith("--format"):
        text = word.partition("=")[2] or (remaining.pop(0) if remaining else "")
        return text.split(",")
    flags, found, rest = word.partition("o")
    if not found or not (flags == "" or (flags.startswith("-") and set(flags) <= set("-eAax"))):
        return None
    if flags == "" and rest:
        return None
    text = rest or (remaining.pop(0) if remaining else "")
    return text.replace(" ", ",").split(",")


def _is_options(word: str) -> bool:
    if word.startswith("-") and not word.startswith("--"):
        return True
    return find_column(word.partition("=")[0].partition(",")[0]) is None and set(word) <= set("axuefw")


def _style_of(word: str, style: tuple[str, ...] | None, option: str) -> tuple[str, ...] | None:
    if word.startswith("-"):
        unknown = sorted(set(word[1:]) - set("efAawx"))
        if unknown:
            raise InvalidInput(f"{option}: -{unknown[0]} of ps is not known here", _HINT)
        return FULL if "f" in word else style or _SHORT
    return _BSD_USER if "u" in word else style or _BSD


def _column(text: str, option: str) -> Column:
    """`name`, or `name=HEADING`."""
    name, renamed, heading = text.strip().partition("=")
    column = find_column(name.partition(":")[0])
    if column is None:
        raise InvalidInput(
            f"{option}: there is no column {name!r}", f"{_HINT}; columns: {', '.join(COLUMNS)}"
        )
    return column._replace(heading=heading) if renamed else column
