# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import log_segments
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_segments import (
    SEGMENT_BYTES,
    Limits,
    Log,
    adopt,
    arm,
    begin,
    begun_segment,
    is_armed,
    segment,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

ID = "a" * 64


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> Paths:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    os.makedirs(paths.container(ID))
    os.makedirs(os.path.join(paths.container_run(ID), "nonce"))
    return paths


def run_directory(paths: Paths) -> str:
    return os.path.join(paths.container_run(ID), "nonce")


class OldConmon:
    """What conmon before 2.2 does with its log, call for call."""

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "ctr.log")
        self.file = open(self.path, "ab")  # noqa: SIM115

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.file.flush()

    def cut(self) -> None:
        self.file.close()
        self.file = open(f"{self.path}.tmp", "wb")  # noqa: SIM115
        os.rename(f"{self.path}.tmp", self.path)


def contents(paths: Paths) -> list[bytes]:
    """Of the segments, oldest first."""
    places = [*(segment(paths, ID, number) for number in (2, 1, 0)), begun_segment(paths, ID)]
    return [pathlib.Path(place).read_bytes() for place in places if os.path.exists(place)]


def started(paths: Paths) -> OldConmon:
    log = begin(paths, ID, run_directory(paths), keeps_itself=False)
    assert log == Log("ctr.log", SEGMENT_BYTES - sum(map(len, contents(paths)[-1:])))
    conmon = OldConmon(run_directory(paths))
    arm(paths, ID, run_directory(paths), log)
    return conmon


def test_cuts_lose_nothing(paths: Paths) -> None:
    conmon = started(paths)
    conmon.write(b"0")
    for number in range(1, 6):
        conmon.cut()
        conmon.write(b"%d" % number)
        assert adopt(paths, ID)
        assert not adopt(paths, ID)
        conmon.write(b"+")
    assert contents(paths) == [b"3+", b"4+", b"5+"]


def test_cut_that_nobody_has_seen(paths: Paths) -> None:
    """The segment before the unseen one is lost when the next is full; nothing older, and nothing grows."""
    conmon = started(paths)
    conmon.write(b"0")
    for number in range(1, 4):
        conmon.cut()
        conmon.write(b"%d" % number)
    assert contents(paths) == [b"0", b"3"]
    adopt(paths, ID)
    assert contents(paths) == [b"0", b"3"]
    conmon.cut()
    conmon.write(b"4")
    assert contents(paths) == [b"0", b"3", b"4"]


def test_next_run_goes_on(paths: Paths) -> None:
    conmon = started(paths)
    conmon.write(b"first ")
    os.unlink(os.path.join(run_directory(paths), "ctr.log"))
    os.unlink(os.path.join(run_directory(paths), "ctr.log.tmp"))
    conmon = started(paths)
    conmon.write(b"second")
    assert contents(paths) == [b"first second"]


def test_next_run_finds_what_was_begun(paths: Paths) -> None:
    conmon = started(paths)
    conmon.write(b"0")
    conmon.cut()
    conmon.write(b"1")
    begin(paths, ID, run_directory(paths), keeps_itself=False)
    assert contents(paths) == [b"0", b"1"]


def test_a_segment_that_is_more_than_half_full_is_left(paths: Paths) -> None:
    for size, left in ((SEGMENT_BYTES // 2, SEGMENT_BYTES // 2), (SEGMENT_BYTES // 2 + 1, SEGMENT_BYTES)):
        with open(segment(paths, ID), "wb") as file:
            file.truncate(size)
        assert begin(paths, ID, run_directory(paths), keeps_itself=False).bytes == left


def test_conmon_that_keeps_logs_itself(paths: Paths) -> None:
    log = begin(paths, ID, run_directory(paths), keeps_itself=True)
    assert log == Log(segment(paths, ID), SEGMENT_BYTES, log_segments.SEGMENTS - 1)
    arm(paths, ID, run_directory(paths), log)
    assert os.listdir(run_directory(paths)) == []
    assert not is_armed(paths, ID)


def test_conmon_takes_no_colon(tmp_path: pathlib.Path) -> None:
    """It cuts a path there; so a log below such a root is reached from the run directory."""
    paths = Paths(str(tmp_path / "a:b"), str(tmp_path / "run"))
    for directory in (paths.container(ID), run_directory(paths)):
        os.makedirs(directory)
    assert begin(paths, ID, run_directory(paths), keeps_itself=True).path == "ctr.log"
    OldConmon(run_directory(paths)).write(b"x")
    assert contents(paths) == [b"x"]


def test_empty_segment_may_be_the_keepers(paths: Paths) -> None:
    started(paths)
    pathlib.Path(begun_segment(paths, ID)).touch()
    assert not adopt(paths, ID)
    assert adopt(paths, ID, empty=True)


def test_removed_container(paths: Paths) -> None:
    """Its conmon was still writing: what it has begun goes, and no directory comes back."""
    started(paths)
    assert is_armed(paths, ID)
    pathlib.Path(begun_segment(paths, ID)).write_bytes(b"x")
    for name in os.listdir(paths.container(ID)):
        os.unlink(os.path.join(paths.container(ID), name))
    os.rmdir(paths.container(ID))
    assert adopt(paths, ID)
    assert not os.path.exists(begun_segment(paths, ID))
    assert not os.path.exists(paths.container(ID))
    log_segments.discard(paths, ID)


def test_limits_of_the_task(paths: Paths) -> None:
    log = begin(paths, ID, run_directory(paths), Limits(100, 2), keeps_itself=False)
    assert log == Log("ctr.log", 100)
    conmon = OldConmon(run_directory(paths))
    arm(paths, ID, run_directory(paths), log)
    for number in range(5):
        conmon.write(b"%d" % number)
        conmon.cut()
        conmon.write(b"-")
        assert adopt(paths, ID)
    assert contents(paths) == [b"-4", b"-"]


def test_one_file_only(paths: Paths) -> None:
    conmon = started(paths)
    log_segments.apply_limits(paths, ID, Limits(SEGMENT_BYTES, 1))
    for number in range(3):
        conmon.cut()
        conmon.write(b"%d" % number)
        adopt(paths, ID)
    assert contents(paths) == [b"2"]


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (Limits(SEGMENT_BYTES, 5), 5),
        (Limits(2 * SEGMENT_BYTES, 2), 4),
        (Limits(SEGMENT_BYTES // 2, 2), 1),
        (Limits(SEGMENT_BYTES // 2, 1), 1),
        (Limits(1 << 28, 0), 8),
    ],
)
def test_limits_change_while_conmon_writes(paths: Paths, limits: Limits, kept: int) -> None:
    """Segments keep the size that conmon knows; their number is what fits."""
    conmon = started(paths)
    for number in range(8):
        if number == 4:
            log_segments.apply_limits(paths, ID, limits)
        conmon.write(b"%d" % number)
        if number < 7:
            conmon.cut()
            conmon.write(b"-")
            adopt(paths, ID)
    there = [segment(paths, ID, number) for number in log_segments.numbers(paths, ID)]
    assert len(there) == (kept if kept < 8 else 6)  # three were there when the limit went
    assert pathlib.Path(there[0]).read_bytes() == b"-7"


def test_the_next_run_has_the_new_size_and_room(paths: Paths) -> None:
    for number, size in ((2, 500), (1, 900), (0, 300)):
        pathlib.Path(segment(paths, ID, number)).write_bytes(b"x" * size)
    log = begin(paths, ID, run_directory(paths), Limits(1000, 2), keeps_itself=False)
    assert log.bytes == 700
    assert log_segments.numbers(paths, ID) == [0, 1]
    assert begin(paths, ID, run_directory(paths), Limits(1000, 4), keeps_itself=True).kept == 3


def test_limits_that_were_cut_off_are_the_usual_ones(paths: Paths) -> None:
    pathlib.Path(paths.container(ID), "ctr.log.limits").write_text("10")
    log_segments.apply_limits(paths, ID, Limits(SEGMENT_BYTES, 4))
    assert pathlib.Path(paths.container(ID), "ctr.log.limits").read_text() == f"{SEGMENT_BYTES} 4\n"
