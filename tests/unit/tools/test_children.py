# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An interrupt of the test suite ends all that it runs, and lets it clean up."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
import time

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"

# Runs one program, then tries another; says what became of them.
SUITE = f"""
import pathlib, sys
sys.path.insert(0, {str(TOOLS)!r})
import children
children.end_on_interrupt()
here = pathlib.Path()
with open("output", "w") as output:
    with children.running(["sh", "-c", sys.argv[1]], here, {{}}, output) as process:
        status = process.wait()
    try:
        with children.running(["true"], here, {{}}, output):
            print("another began")
    except children.Interrupted:
        print("first ended with", status)
sys.exit(children.interrupted())
"""
CLEANS_UP = "trap 'echo cleaned > told; exit 2' INT; sleep 1000 & echo $! > pid; wait; wait"
DOES_NOT = "trap '' INT; (echo > pid; exec sleep 1000)"


def start(script: str, directory: pathlib.Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUITE, script],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(directory / "pid")
    return process


def wait_for(path: pathlib.Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_runs_may_clean_up(tmp_path: pathlib.Path, number: signal.Signals) -> None:
    suite = start(CLEANS_UP, tmp_path)
    suite.send_signal(number)
    told, complaint = suite.communicate(timeout=30)
    assert (told, suite.returncode) == ("first ended with 2\n", 128 + number)
    assert "interrupted" in complaint
    assert (tmp_path / "told").read_text() == "cleaned\n"


def test_the_second_interrupt_waits_for_nobody(tmp_path: pathlib.Path) -> None:
    suite = start(DOES_NOT, tmp_path)
    suite.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        suite.wait(timeout=0.5)
    suite.send_signal(signal.SIGINT)
    assert suite.communicate(timeout=30)[0] == f"first ended with {-signal.SIGKILL}\n"
