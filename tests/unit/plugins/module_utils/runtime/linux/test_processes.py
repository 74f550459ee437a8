# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import processes
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import ProcessIdentity


@pytest.fixture
def sleeper() -> t.Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def identity_of(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    found = processes.identity(process.pid)
    assert found is not None
    return found


def test_a_process_keeps_its_identity(sleeper: subprocess.Popen[bytes]) -> None:
    first = identity_of(sleeper)
    assert first == identity_of(sleeper)
    assert first.pid == sleeper.pid
    assert processes.is_alive(first)


def test_the_same_pid_at_another_time_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    former = identity_of(sleeper)._replace(start_time=12345)
    assert not processes.is_alive(former)
    assert processes.open_pidfd(former) is None
    assert not processes.signal_process(former, signal.SIGKILL)
    assert processes.wait_until_gone(former, 0)
    assert sleeper.poll() is None


def test_a_zombie_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    former = identity_of(sleeper)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.identity(sleeper.pid) is None
    assert not processes.is_alive(former)
    assert processes.wait_until_gone(former, 0)


def test_a_process_whose_first_thread_has_ended_is_alive() -> None:
    code = (
        "import ctypes, os, threading, time\n"
        "thread = threading.Thread(target=time.sleep, args=(1000,))\n"
        "thread.start()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            deadline = time.monotonic() + 10
            while _state(process.pid) != "Z" and time.monotonic() < deadline:
                time.sleep(0.01)
            assert _state(process.pid) == "Z"
            alive = identity_of(process)
            assert processes.is_alive(alive)
            assert not processes.wait_until_gone(alive, 0.01)
        finally:
            process.kill()
        assert processes.wait_until_gone(alive, 10)
        assert processes.identity(process.pid) is None


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_reaped_process_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    former = identity_of(sleeper)
    sleeper.kill()
    sleeper.wait()
    assert processes.identity(sleeper.pid) is None
    assert not processes.signal_process(former, signal.SIGTERM)


def test_a_name_that_looks_like_a_state() -> None:
    """The name in /proc/PID/stat may contain blanks and parentheses: it is ours to choose."""
    rename = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'x) Z (y')"
    program = f"{rename}; print('', flush=True); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        t.cast("t.IO[bytes]", process.stdout).readline()
        found = processes.identity(process.pid)
        process.kill()
    assert found is not None
    assert found.start_time > 0


def test_waiting_and_signalling(sleeper: subprocess.Popen[bytes]) -> None:
    running = identity_of(sleeper)
    assert not processes.wait_until_gone(running, 0)
    assert processes.signal_process(running, signal.SIGTERM)
    assert processes.wait_until_gone(running, 30)
    assert sleeper.wait() == -signal.SIGTERM


def test_a_pidfd_becomes_readable_at_the_end(sleeper: subprocess.Popen[bytes]) -> None:
    pidfd = processes.open_pidfd(identity_of(sleeper))
    assert pidfd is not None
    assert not os.get_inheritable(pidfd)
    assert select.select([pidfd], [], [], 0)[0] == []
    sleeper.kill()
    assert select.select([pidfd], [], [], 30)[0] == [pidfd]
    os.close(pidfd)


def test_the_boot_has_a_name() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", processes.boot_id())
    assert processes.boot_id() == processes.boot_id()


def test_the_time_as_docker_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", processes.now())
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_042)
    assert processes.now() == "2023-11-14T22:13:20.000000042Z"
