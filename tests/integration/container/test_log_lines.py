# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Lines of real logs: chosen, joined, and followed over the ends of segments."""

from __future__ import annotations

import re
import threading
import time

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_lines import (
    LogLine,
    LogQuery,
    read_lines,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import now
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.follow_logs import follow_logs
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_container import (
    wait_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

NUMBERS = 400_000  # lines of 46 bytes and the number: some 21 MB, three segments


def lines(harbour: Harbour, name: str, limit: int = 1 << 30, **query: object) -> list[str]:
    found, _truncated = read_lines(harbour.paths, harbour.record(name).id, LogQuery(**query), limit)
    return [line.text.decode() for line in found]


def test_choices(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "seq 5; sleep 1; seq 11 15 >&2; sleep 1; seq 21 23")
    wait_container(harbour.engine, "job")
    assert lines(harbour, "job") == [str(n) for n in (*range(1, 6), *range(11, 16), *range(21, 24))]
    assert lines(harbour, "job", tail=2) == ["22", "23"]
    assert lines(harbour, "job", tail=0) == []
    assert lines(harbour, "job", tail=2, stream="stderr") == ["14", "15"]
    assert lines(harbour, "job", pattern=re.compile(rb"^[12]3$")) == ["13", "23"]
    all_, _truncated = read_lines(harbour.paths, harbour.record("job").id, LogQuery())
    first = next(line for line in all_ if line.text == b"11")
    assert lines(harbour, "job", since=first.time)[0] == "11"
    assert lines(harbour, "job", until=first.time)[:6] == ["1", "2", "3", "4", "5", "11"]
    assert "21" not in lines(harbour, "job", until=first.time)
    assert lines(harbour, "job", since=now()) == []
    assert lines(harbour, "job", limit=9) == ["21", "22", "23"]


def test_pieces_are_joined(harbour: Harbour) -> None:
    """conmon writes a long line in pieces, and a line as it comes if the program writes it bit by bit."""
    script = "head -c 100000 /dev/zero | tr '\\0' x; echo; printf 'no '; sleep 0.2; echo end; printf last"
    harbour.start("job", "sh", "-c", script)
    wait_container(harbour.engine, "job")
    assert lines(harbour, "job") == [100000 * "x", "no end", "last"]
    assert lines(harbour, "job", tail=2) == ["no end", "last"]
    found, _truncated = read_lines(harbour.paths, harbour.record("job").id, LogQuery())
    assert [line.complete for line in found] == [True, True, False]


@pytest.mark.slow
def test_across_segments(harbour: Harbour) -> None:
    harbour.start("flood", "seq", str(NUMBERS))
    wait_container(harbour.engine, "flood")
    began = time.monotonic()
    found = lines(harbour, "flood")
    everything = time.monotonic() - began
    assert found == [str(number) for number in range(NUMBERS - len(found) + 1, NUMBERS + 1)]
    assert len(found) > 200_000
    began = time.monotonic()
    assert lines(harbour, "flood", tail=3) == [str(NUMBERS - 2), str(NUMBERS - 1), str(NUMBERS)]
    assert time.monotonic() - began < everything / 5


class Follower(threading.Thread):
    def __init__(self, harbour: Harbour, name: str, **query: object) -> None:
        super().__init__(daemon=True)
        self.found: list[LogLine] = []
        self.ended = 0.0
        self._lines = follow_logs(harbour.engine, harbour.record(name), LogQuery(**query))
        self.start()

    def run(self) -> None:
        for line in self._lines:
            self.found.append(line)
        self.ended = time.monotonic()

    @property
    def texts(self) -> list[str]:
        return [line.text.decode() for line in self.found]


@pytest.mark.slow
def test_followed_over_segments(harbour: Harbour) -> None:
    """No line is missing and none comes twice while three segments fill up, at the pace of a busy program."""
    pace = "i=0; while [ $i -lt 40 ]; do seq $((i*10000+1)) $((i*10000+10000)); sleep 0.05; i=$((i+1)); done"
    harbour.start("flood", "sh", "-c", pace)
    follower = Follower(harbour, "flood")
    wait_container(harbour.engine, "flood")
    follower.join(60)
    assert follower.texts == [str(number) for number in range(1, 400_001)]


def test_follower_ends_with_the_container(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "seq 3; sleep 2; echo last words")
    wait_until(lambda: harbour.output("job"), lambda text: text == "1\n2\n3\n")
    follower = Follower(harbour, "job", tail=1)
    wait_container(harbour.engine, "job")
    ended = time.monotonic()
    follower.join(10)
    assert follower.texts == ["3", "last words"]
    assert follower.ended - ended < 3


def test_follower_of_what_has_ended_or_is_removed(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "echo one; sleep 1000")
    follower = Follower(harbour, "job")
    wait_until(lambda: follower.texts, lambda texts: texts == ["one"])
    remove_container(harbour.engine, "job")
    follower.join(10)
    assert not follower.is_alive()
    harbour.create("never", "true")
    assert list(follow_logs(harbour.engine, harbour.record("never"), LogQuery())) == []


def test_follower_goes_on_over_restarts(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "echo run; exit 1", restart_policy="on-failure", restart_retries=2)
    follower = Follower(harbour, "job")
    follower.join(30)
    assert follower.texts == ["run", "run", "run"]
