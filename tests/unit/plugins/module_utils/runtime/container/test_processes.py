# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which columns are meant. What is in them: tests/integration/container/test_use.py, where ps(1) judges."""

from __future__ import annotations

import os

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.processes import (
    list_processes,
    parse_columns,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import process_table

EF = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ([], EF),
        (["-ef"], EF),
        (["-f", "-e"], EF),
        (["-e"], ["PID", "TTY", "TIME", "CMD"]),
        (["ax"], ["PID", "TTY", "STAT", "TIME", "COMMAND"]),
        (["-o", "pid,args"], ["PID", "COMMAND"]),
        (["-opid"], ["PID"]),
        (["-eo", "pid cmd"], ["PID", "CMD"]),
        (["-ao", "pid", "-o", "rss"], ["PID", "RSS"]),
        (["o", "pid"], ["PID"]),
        (["--format=pid,user:20"], ["PID", "USER"]),
        (["--format", "%cpu,%mem"], ["%CPU", "%MEM"]),
        (["pid", "user=WHO", "command"], ["PID", "WHO", "COMMAND"]),
        (["pid,stat"], ["PID", "STAT"]),
    ],
)
def test_columns(words: list[str], titles: list[str]) -> None:
    assert [column.heading for column in parse_columns(words, "top")] == titles


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["-o", "pid,nosuch"], "top: there is no column 'nosuch'"),
        (["-Z"], "top: -Z of ps is not known here"),
        (["nosuch"], "top: there is no column 'nosuch'"),
        (["-o"], "there is no column ''"),
    ],
)
def test_what_is_not_understood(words: list[str], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        parse_columns(words, "top")


def test_every_column_has_a_value_for_a_real_process() -> None:
    columns = list(process_table.COLUMNS.values())
    [row] = list_processes([os.getpid()], columns)["Processes"]
    assert all(row)


def test_who_is_gone_is_left_out() -> None:
    assert list_processes([2**22 + 1], parse_columns([], "top"))["Processes"] == []


def test_names_are_made_printable() -> None:
    assert process_table._printable("a\nb\033[1m\u202ex") == "a?b?[1m?x"


def process(*, start: int = 0, ticks: int = 0, state: str = "S", terminal: int = 0) -> process_table.Process:
    fields = [state, *("0" for _field in range(50))]
    fields[22 - 3], fields[14 - 3], fields[7 - 3] = str(start), str(ticks), str(terminal)
    return process_table.Process(7, "name", tuple(fields), {}, "name", 200_000.0)


@pytest.mark.parametrize(
    ("column", "given", "text"),
    [
        ("time", {"ticks": 0}, "00:00:00"),
        ("time", {"ticks": 100 * (86400 + 3661)}, "01-01:01:01"),
        ("bsdtime", {"ticks": 100 * 3661}, "61:01"),
        ("etime", {"start": 100 * 199_990}, "00:10"),
        ("etime", {"start": 100 * 190_000}, "02:46:40"),
        ("etime", {"start": 0}, "02-07:33:20"),
        ("c", {"ticks": 100 * 100_000}, "50"),
        ("pcpu", {"ticks": 100 * 300_000}, "150.0"),
        ("c", {"ticks": 100 * 300_000}, "99"),
        ("tty", {"terminal": 0}, "?"),
        ("tty", {"terminal": os.makedev(136, 5)}, "pts/5"),
        ("tty", {"terminal": os.makedev(137, 1)}, "pts/257"),
        ("tty", {"terminal": os.makedev(4, 1)}, "tty1"),
        ("tty", {"terminal": os.makedev(4, 64)}, "ttyS0"),
    ],
)
def test_values(monkeypatch: pytest.MonkeyPatch, column: str, given: dict[str, int], text: str) -> None:
    monkeypatch.setattr(process_table, "_TICKS", 100)
    assert process_table.COLUMNS[column].value(process(**given)) == text
