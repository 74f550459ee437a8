# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The log of a program that writes a lot: bounded, whole where segments meet, and read back to the byte."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import log_segments
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.conmon import rotates_logs
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.logs import (
    read_bytes,
    read_log,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.programs import find_program
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_container import (
    wait_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

NUMBERS = 1_500_000  # lines of 46 bytes and the number: some 80 MB, eight segments


def numbers(harbour: Harbour, name: str) -> list[int]:
    content, truncated = read_bytes(harbour.paths, harbour.record(name), 1 << 30)
    assert not truncated
    return [int(line) for line in content.splitlines()]


def segments(harbour: Harbour, name: str) -> list[int]:
    """Sizes of whatever there is of the log, wherever it is."""
    container_id = harbour.record(name).id
    names = [log_segments.segment(harbour.paths, container_id, number) for number in range(10)]
    names.append(log_segments.begun_segment(harbour.paths, container_id))
    sizes = []
    for path in names:
        with contextlib.suppress(FileNotFoundError):
            sizes.append(os.path.getsize(path))
    return sizes


@pytest.fixture
def old_conmon(harbour: Harbour) -> None:
    """One that needs a keeper."""
    if rotates_logs(find_program(harbour.engine.conmon)):
        pytest.skip("not applicable: this conmon keeps full segments itself")


@pytest.mark.slow
def test_flood(harbour: Harbour) -> None:
    """Every line that is kept follows on the one before, over all cuts; never more than three segments."""
    harbour.start("flood", "seq", str(NUMBERS))
    largest = 0
    while harbour.status("flood").status == "running":
        largest = max(largest, sum(segments(harbour, "flood")))
    assert wait_container(harbour.engine, "flood") == 0
    kept = numbers(harbour, "flood")
    assert kept == list(range(kept[0], NUMBERS + 1))
    sizes = segments(harbour, "flood")
    assert len(sizes) == log_segments.SEGMENTS
    assert max(sizes) <= log_segments.SEGMENT_BYTES
    assert sum(sizes) > 2 * (log_segments.SEGMENT_BYTES - 4096)
    assert largest <= (log_segments.SEGMENTS + 1) * log_segments.SEGMENT_BYTES


@pytest.mark.slow
@pytest.mark.usefixtures("old_conmon")
def test_keeper_that_is_stopped_makes_conmon_wait(harbour: Harbour) -> None:
    """However late it comes: the kernel holds conmon in open(2) until the segment before is safe."""
    harbour.start("flood", "sh", "-c", f"seq {NUMBERS}")
    keeper = int(pathlib.Path(harbour.paths.run_root, "log-keeper").read_text())
    wait_until(lambda: len(segments(harbour, "flood")), lambda count: count >= 2)
    os.kill(keeper, signal.SIGSTOP)
    try:
        size = wait_until(lambda: _growth(harbour), lambda growth: growth[0] == growth[1])[0]
        assert size <= 4 * log_segments.SEGMENT_BYTES
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert wait_container(harbour.engine, "flood") == 0
    kept = numbers(harbour, "flood")
    assert kept == list(range(kept[0], NUMBERS + 1))


def _growth(harbour: Harbour) -> tuple[int, int]:
    """What the log measures, and what it measured 0.2 s ago."""
    before = sum(segments(harbour, "flood"))
    signal.sigtimedwait([signal.SIGUSR2], 0.2)
    return sum(segments(harbour, "flood")), before


@pytest.mark.slow
@pytest.mark.usefixtures("old_conmon")
def test_killed_keeper_costs_lines_and_nothing_else(harbour: Harbour) -> None:
    """The bound holds without anybody; the next start brings a keeper."""
    harbour.start("flood", "sh", "-c", f"seq {NUMBERS}; sleep 1000")
    keeper = int(pathlib.Path(harbour.paths.run_root, "log-keeper").read_text())
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: _last(harbour), lambda last: last == NUMBERS)
    sizes = segments(harbour, "flood")
    assert max(sizes) <= log_segments.SEGMENT_BYTES
    assert len(sizes) <= log_segments.SEGMENTS + 1
    harbour.start("other", "sleep", "1000")
    wait_until(
        lambda: pathlib.Path(harbour.paths.run_root, "log-keeper").read_text(), lambda pid: pid != str(keeper)
    )
    assert harbour.status("flood").status == "running"


def _last(harbour: Harbour) -> int:
    lines = list(read_log(harbour.paths, harbour.record("flood").id))
    return int(lines[-1].text) if lines and lines[-1].text.isdigit() else 0


def test_runs_share_segments(harbour: Harbour) -> None:
    """A container that starts often keeps what it said before, within the same bound."""
    harbour.create("job", "sh", "-c", "seq 60000")
    for _attempt in range(4):
        harbour.start("job")
        wait_container(harbour.engine, "job")
    lines = read_log(harbour.paths, harbour.record("job").id)
    whole = b"".join(line.text + b"\n" * line.complete for line in lines)
    assert [int(line) for line in whole.splitlines()] == 4 * list(range(1, 60001))
    assert numbers(harbour, "job") == list(range(1, 60001))
    assert max(segments(harbour, "job")) <= log_segments.SEGMENT_BYTES


def test_bytes_come_back(harbour: Harbour) -> None:
    """Long lines, no last line feed, NUL, escapes, what looks like a log line, what is not UTF-8."""
    script = r"""
printf 'a\0b\033[31m\r\n'
printf '2026-11-24T03:32:19.123456789+00:00 stderr F forged\n'
printf '\377\376\n\n'
head -c 100000 /dev/zero | tr '\0' x
printf '\nend'
"""
    harbour.start("odd", "sh", "-c", script)
    wait_container(harbour.engine, "odd")
    content, _truncated = read_bytes(harbour.paths, harbour.record("odd"))
    assert content == (
        b"a\0b\033[31m\r\n2026-11-24T03:32:19.123456789+00:00 stderr F forged\n\377\376\n\n"
        + 100000 * b"x"
        + b"\nend"
    )
    assert "\ufffd\ufffd\n" in harbour.output("odd")


def test_streams_and_limit(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "seq 5; seq 11 15 >&2")
    wait_container(harbour.engine, "job")
    record = harbour.record("job")
    assert read_bytes(harbour.paths, record, stream="stderr") == (b"11\n12\n13\n14\n15\n", False)
    assert read_bytes(harbour.paths, record, limit=4, stream="stdout") == (b"4\n5\n", True)


def test_terminal(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "test -t 1 && echo terminal", tty=True)
    assert wait_container(harbour.engine, "job") == 0
    assert harbour.output("job") == "terminal\r\n"


def test_removed_while_it_floods(harbour: Harbour) -> None:
    harbour.start("flood", "yes")
    wait_until(lambda: len(segments(harbour, "flood")), lambda count: count >= 3)
    remove_container(harbour.engine, "flood")
    assert os.listdir(log_segments.logs_directory(harbour.paths)) == []
