# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Lines from pieces, backwards over blocks and segments. Real logs: tests/integration/container."""

from __future__ import annotations

import os
import re

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_follower import LogFollower
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_lines import (
    LineJoiner,
    LogLine,
    LogQuery,
    read_lines,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_segments import (
    begun_segment,
    logs_directory,
    segment,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.logs import Line
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

ID = "c" * 64


@pytest.fixture
def paths(tmp_path: os.PathLike[str]) -> Paths:
    paths = Paths(os.path.join(tmp_path, "root"), os.path.join(tmp_path, "run"))
    os.makedirs(paths.container(ID))
    os.makedirs(logs_directory(paths))
    return paths


def stamp(number: int) -> str:
    return f"2026-11-24T03:{number // 60:02d}:{number % 60:02d}.000000000Z"


def raw(number: int, text: str, tag: str = "F", stream: str = "stdout") -> bytes:
    """At the given second, in the zone that conmon writes."""
    return f"{stamp(number)[:-1]}+00:00 {stream} {tag} {text}\n".encode()


def write(paths: Paths, *pieces: bytes, number: int = 0, mode: str = "wb") -> None:
    with open(segment(paths, ID, number), mode) as file:
        file.write(b"".join(pieces))


def texts(paths: Paths, limit: int = 1 << 20, **query: object) -> list[str]:
    return [line.text.decode() for line in read_lines(paths, ID, LogQuery(**query), limit)[0]]


def test_no_log(paths: Paths) -> None:
    assert read_lines(paths, ID, LogQuery()) == ([], False)


def test_pieces_of_streams_that_lie_inside_each_other(paths: Paths) -> None:
    write(
        paths,
        raw(1, "one, ", "P"),
        raw(2, "error ", "P", "stderr"),
        raw(3, "two", "F"),
        raw(4, "whole"),
        raw(5, "told", "F", "stderr"),
        raw(6, "not yet", "P"),
    )
    assert read_lines(paths, ID, LogQuery())[0] == [
        LogLine(stamp(1), "stdout", b"one, two"),
        LogLine(stamp(4), "stdout", b"whole"),
        LogLine(stamp(2), "stderr", b"error told"),
        LogLine(stamp(6), "stdout", b"not yet", complete=False),
    ]
    assert texts(paths, tail=2) == ["error told", "not yet"]
    assert texts(paths, tail=1, stream="stdout") == ["not yet"]


def test_a_line_over_two_segments(paths: Paths) -> None:
    write(paths, raw(1, "first"), raw(2, "be", "P"), number=1)
    write(paths, raw(3, "gin"), raw(4, "last"))
    assert texts(paths) == ["first", "begin", "last"]
    assert texts(paths, tail=2) == ["begin", "last"]


@pytest.mark.parametrize("width", [1, 100, 65_500, 65_536, 70_000])
def test_blocks_end_anywhere(paths: Paths, width: int) -> None:
    count = max(4, 200_000 // (width + 50))
    write(paths, *(raw(number % 3600, f"{number:05d}{'x' * width}") for number in range(count)))
    found = texts(paths, limit=1 << 30)
    assert [int(text[:5]) for text in found] == list(range(count))
    assert {len(text) for text in found} == {width + 5}


def test_what_ends_lines_elsewhere(paths: Paths) -> None:
    text = "a\rb\x0bc\x0cd\x1ce\u2028f\x85"
    write(paths, raw(1, text), raw(2, "next"))
    assert texts(paths) == [text, "next"]


def test_damage_is_skipped(paths: Paths) -> None:
    write(paths, raw(1, "good"), b"\0\0\0 not a line\n", raw(2, "also good"), b"2026-11-24T03:00")
    assert texts(paths) == ["good", "also good"]


def test_times(paths: Paths) -> None:
    write(paths, *(raw(number, str(number)) for number in range(10)))
    assert texts(paths, since=stamp(7)) == ["7", "8", "9"]
    assert texts(paths, until=stamp(1)) == ["0", "1"]
    assert texts(paths, since=stamp(3), until=stamp(6), tail=2) == ["5", "6"]


def test_other_zones(paths: Paths) -> None:
    write(
        paths,
        b"2026-11-24T05:00:01.5+02:00 stdout F no\n",
        b"2026-11-24T05:00:01.500000000+02:00 stdout F x\n",
    )
    assert read_lines(paths, ID, LogQuery())[0] == [LogLine("2026-11-24T03:00:01.500000000Z", "stdout", b"x")]


def test_pattern(paths: Paths) -> None:
    write(paths, *(raw(number, f"line {number}") for number in range(20)))
    assert texts(paths, pattern=re.compile(rb"1\d$"), tail=3) == ["line 17", "line 18", "line 19"]
    assert texts(paths, pattern=re.compile(rb"^2")) == []


def test_limit(paths: Paths) -> None:
    write(paths, *(raw(number, "x" * 9) for number in range(20)))
    found, truncated = read_lines(paths, ID, LogQuery(), limit=35)
    assert (len(found), truncated) == (3, True)
    found, truncated = read_lines(paths, ID, LogQuery(tail=3), limit=35)
    assert (len(found), truncated) == (3, False)


def test_one_line_larger_than_the_limit(paths: Paths) -> None:
    """Its end is kept, and its time."""
    write(paths, raw(1, "a" * 50, "P"), raw(2, "b" * 50, "P"), raw(3, "c" * 50))
    [line] = read_lines(paths, ID, LogQuery(), limit=60)[0]
    assert (line.time, line.text) == (stamp(1), b"c" * 50)


def test_joiner_forwards() -> None:
    joiner = LineJoiner(limit=10)
    time = stamp(1).encode()
    assert joiner.add(Line(time, "stdout", False, b"be")) is None
    assert joiner.add(Line(time, "stderr", True, b"x")) == LogLine(stamp(1), "stderr", b"x")
    assert joiner.add(Line(time, "stdout", True, b"gin")) == LogLine(stamp(1), "stdout", b"begin")
    assert joiner.add(Line(time, "stdout", False, 8 * b"y")) is None
    assert joiner.add(Line(time, "stdout", False, 8 * b"y")) == LogLine(stamp(1), "stdout", 16 * b"y", False)
    joiner.add(Line(time, "stdout", False, b"rest"))
    assert joiner.rest() == [LogLine(stamp(1), "stdout", b"rest", False)]


# Following


def new(follower: LogFollower) -> list[str]:
    return [line.text.decode() for line in follower.read()]


def test_follower_reads_on(paths: Paths) -> None:
    with LogFollower(paths, ID) as follower:
        assert new(follower) == []
        write(paths, raw(1, "old"), number=1)
        write(paths, raw(2, "one"), raw(3, "two")[:20])
        assert new(follower) == ["old", "one"]
        assert new(follower) == []
        write(paths, raw(3, "two")[20:], mode="ab")
        assert new(follower) == ["two"]


def test_follower_over_the_end_of_a_segment(paths: Paths) -> None:
    """What was written to a segment before it was put aside comes before what is in the next one."""
    with LogFollower(paths, ID) as follower:
        write(paths, raw(1, "one"))
        assert new(follower) == ["one"]
        open(begun_segment(paths, ID), "wb").close()  # a keeper holds it ready
        write(paths, raw(2, "two"), mode="ab")
        assert new(follower) == ["two"]
        write(paths, raw(3, "three"), mode="ab")
        with open(begun_segment(paths, ID), "wb") as file:
            file.write(raw(4, "four"))
        os.rename(segment(paths, ID), segment(paths, ID, 1))
        os.rename(begun_segment(paths, ID), segment(paths, ID))
        assert new(follower) == ["three", "four"]
        write(paths, raw(5, "five"), mode="ab")
        assert new(follower) == ["five"]


def test_follower_that_was_too_slow(paths: Paths) -> None:
    with LogFollower(paths, ID) as follower:
        write(paths, raw(1, "one"))
        assert new(follower) == ["one"]
        write(paths, raw(2, "two"), mode="ab")
        os.unlink(segment(paths, ID))
        write(paths, raw(7, "seven"), number=2)
        write(paths, raw(8, "eight"))
        assert new(follower) == ["two", "seven", "eight"]


def test_follower_of_a_segment_that_was_begun_again(paths: Paths) -> None:
    with LogFollower(paths, ID) as follower:
        write(paths, raw(1, "one"), raw(2, "two"))
        assert new(follower) == ["one", "two"]
        write(paths, raw(3, "three"))
        assert new(follower) == ["three"]
