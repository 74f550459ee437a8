# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import log_segments
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.logs import (
    read_bytes,
    read_log,
    read_output,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    ContainerState,
    Exit,
    Run,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

ID = "a" * 64
BEFORE, AFTER = "2026-11-24T03:00:00.000000000Z", "2026-11-24T04:00:00.000000000Z"


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> Paths:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    os.makedirs(paths.container(ID))
    os.makedirs(log_segments.logs_directory(paths))
    return paths


def record(state: ContainerState) -> ContainerRecord:
    return ContainerRecord(ID, "web", "", "", ImageConfig(), ContainerConfig(), BEFORE, state=state)


RUNNING = record(ContainerState(run=Run("nonce", "boot", AFTER)))
ENDED = record(ContainerState(exit=Exit(0, AFTER, AFTER)))
NEVER = record(ContainerState())


def line(
    text: bytes, time: str = "2026-11-24T04:30:00.000000000+00:00", stream: str = "stdout", tag: str = "F"
) -> bytes:
    return f"{time} {stream} {tag} ".encode() + text + b"\n"


def write(paths: Paths, content: bytes, number: int = 0) -> None:
    pathlib.Path(log_segments.segment(paths, ID, number)).write_bytes(content)


def test_nothing_there(paths: Paths) -> None:
    assert list(read_log(paths, ID)) == []
    assert read_output(paths, NEVER) == ""


def test_segments_in_order(paths: Paths) -> None:
    write(paths, line(b"3"))
    write(paths, line(b"2"), 1)
    write(paths, line(b"1"), 2)
    pathlib.Path(log_segments.begun_segment(paths, ID)).write_bytes(line(b"4"))
    assert read_output(paths, NEVER) == "1\n2\n3\n4\n"


def test_a_gap_in_the_numbers(paths: Paths) -> None:
    write(paths, line(b"3"))
    write(paths, line(b"1"), 2)
    assert read_output(paths, NEVER) == "1\n3\n"


def test_parts_are_joined(paths: Paths) -> None:
    write(paths, line(b"a", tag="P") + line(b"b", tag="P") + line(b"c") + line(b"") + line(b"end", tag="P"))
    assert read_bytes(paths, NEVER) == (b"abc\n\nend", False)


def test_streams(paths: Paths) -> None:
    write(paths, line(b"o") + line(b"e", stream="stderr"))
    assert read_bytes(paths, NEVER) == (b"o\ne\n", False)
    assert read_bytes(paths, NEVER, stream="stderr") == (b"e\n", False)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"\0\0\0\n",
        b"2026-11-24T04:30:00.000000000+00:00 stdout X text\n",
        b"2026-11-24T04:30:00.000000000+00:00 stdlog F text\n",
        b"04:30 stdout F text\n",
        b"2026-11-24T04:30:00.000000000+00:00 stdout F cut of",
    ],
)
def test_garbage_is_skipped(paths: Paths, garbage: bytes) -> None:
    write(paths, line(b"1") + garbage)
    assert read_output(paths, NEVER) == "1\n"


@pytest.mark.parametrize("known", [RUNNING, ENDED])
@pytest.mark.parametrize(
    ("time", "belongs"),
    [
        ("2026-11-24T04:00:00.000000000+00:00", True),
        ("2026-11-24T04:00:00.000000001Z", True),
        ("2026-11-24T03:59:59.999999999+00:00", False),
        ("2026-11-24T05:30:00.000000000+01:00", True),
        ("2026-11-24T04:30:00.000000000+01:00", False),
        ("2026-11-23T23:30:00.123456789-05:00", True),
        ("2026-11-24T09:29:59.999999999+05:30", False),
    ],
)
def test_last_run_only(paths: Paths, known: ContainerRecord, time: str, belongs: bool) -> None:
    write(paths, line(b"x", time))
    assert read_output(paths, known) == ("x\n" if belongs else "")


@pytest.mark.parametrize(
    ("limit", "kept", "truncated"),
    [(100, b"1\n2\n3\n", False), (6, b"1\n2\n3\n", False), (4, b"2\n3\n", True), (1, b"\n", True)],
)
def test_limit_keeps_the_end(paths: Paths, limit: int, kept: bytes, truncated: bool) -> None:
    write(paths, line(b"1") + line(b"2") + line(b"3"))
    assert read_bytes(paths, NEVER, limit) == (kept, truncated)


def test_output_is_text(paths: Paths) -> None:
    write(paths, line(b"\xff\xfe caf\xc3\xa9"))
    assert read_output(paths, NEVER) == "\ufffd\ufffd caf\u00e9\n"


def test_log_is_not_a_link(paths: Paths, tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_bytes(line(b"secret"))
    os.symlink(tmp_path / "secret", log_segments.segment(paths, ID))
    with pytest.raises(OSError, match="symbolic links"):
        list(read_log(paths, ID))
