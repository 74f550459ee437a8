# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    HostNotReady,
    RuntimeFailure,
    TimedOut,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import processes, programs


def sh(script: str, **options: object) -> programs.Completed:
    return programs.run(["sh", "-c", script], **options)  # type: ignore[arg-type]


def test_output_and_exit_code() -> None:
    completed = sh("echo out; echo err >&2; exit 3", check=False)
    assert completed == programs.Completed(3, b"out\n", b"err\n", False)


def test_much_input_and_much_output_at_once() -> None:
    data = os.urandom(3_000_000)
    completed = programs.run(["cat"], input=data, max_output=3_000_000)
    assert completed.stdout == data
    assert not completed.truncated


def test_input_that_nobody_reads() -> None:
    assert programs.run(["true"], input=b"x" * 1_000_000).returncode == 0


def test_output_beyond_the_limit_is_dropped_but_read() -> None:
    completed = sh("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; echo done >&2", max_output=1000)
    assert (len(completed.stdout), len(completed.stderr), completed.truncated) == (1000, 1000, True)


def test_a_child_that_keeps_the_pipes_does_not_hold_us_up() -> None:
    completed = sh("sleep 1000 & echo $!")
    stray = processes.identity(int(completed.stdout))
    assert stray is not None
    assert processes.signal_process(stray, signal.SIGKILL)


def test_a_child_that_floods_the_pipes_does_not_hold_us_up() -> None:
    completed = sh("yes & echo $! >&2")
    stray = processes.identity(int(completed.stderr))
    if stray is not None:  # else it has met the closed pipe already
        processes.signal_process(stray, signal.SIGKILL)


def test_too_late_means_the_whole_group_is_dead(tmp_path: pathlib.Path) -> None:
    # The FIFO's other end is closed when the last of the group is dead.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    started = time.monotonic()
    with pytest.raises(TimedOut, match=r"^sleepers did not finish in 0\.3 s$"):
        sh(f"exec 9>{fifo}; sleep 1000 & sleep 1000", timeout=0.3, name="sleepers")
    assert time.monotonic() - started < 100
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_program_that_ignores_everything_is_killed_too() -> None:
    with pytest.raises(TimedOut):
        sh("trap '' TERM INT HUP; yes", timeout=0.2, max_output=10)


def test_a_failure_speaks_with_the_program_s_words() -> None:
    with pytest.raises(RuntimeFailure) as caught:
        sh("echo 'bad option'; printf 'error: \\033[1mno such\\nthing\\n' >&2; exit 4", name="crun start")
    assert caught.value.message == "crun start: error: ?[1mno such; thing"
    assert caught.value.facts == {"returncode": 4}


@pytest.mark.parametrize(
    ("script", "text"), [("exit 7", "sh: exit code 7"), ("kill -9 $$", "sh: killed by signal 9")]
)
def test_a_silent_failure_says_how_it_ended(script: str, text: str) -> None:
    with pytest.raises(RuntimeFailure, match=text):
        sh(script)


def test_a_long_complaint_is_cut_from_the_front() -> None:
    with pytest.raises(RuntimeFailure) as caught:
        sh("head -c 100000 /dev/zero | tr '\\0' x >&2; echo the reason >&2; exit 1")
    assert len(caught.value.message) < 2100
    assert caught.value.message.endswith("the reason")


def test_nothing_of_ours_is_inherited(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("SECRET", "topsecret")
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    seen = sh("env; ls /proc/self/fd; pwd; cat /proc/self/stat; id -u").stdout.decode()
    os.close(reader)
    os.close(writer)
    assert "topsecret" not in seen
    assert f"\n{writer}\n" not in seen
    assert "\n/\n" in seen
    assert set(sh("env").stdout.decode().split()) >= {
        f"PATH={programs.MINIMAL_ENVIRONMENT['PATH']}",
        "LANG=C",
    }


def test_what_is_named_is_given(tmp_path: pathlib.Path) -> None:
    reader, writer = os.pipe()
    completed = sh(
        f"echo $KEY; pwd; echo through >/proc/self/fd/{writer}",
        env={"KEY": "value"},
        pass_fds=[writer],
        cwd=str(tmp_path),
    )
    os.close(writer)
    assert completed.stdout.decode().split() == ["value", str(tmp_path)]
    assert os.read(reader, 100) == b"through\n"
    os.close(reader)


def test_no_descriptor_and_no_child_is_left() -> None:
    before = os.listdir("/proc/self/fd")
    sh("echo x", input=b"y")
    with pytest.raises(TimedOut):
        sh("sleep 1000", timeout=0.05)
    with pytest.raises(HostNotReady):
        programs.run(["no-such-program"])
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_started_program_stands_on_its_own() -> None:
    process = programs.spawn(["sleep", "1000"])
    assert os.getsid(process.pid) == process.pid
    assert {os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
    assert os.readlink(f"/proc/{process.pid}/cwd") == "/"
    process.kill()
    process.wait()


def test_a_filter() -> None:
    with programs.filter_through(["tr", "a-z", "A-Z"]) as process:
        assert process.communicate(b"text")[0] == b"TEXT"


def test_found_by_name_or_by_path(tmp_path: pathlib.Path) -> None:
    assert programs.find_program("sh") in ("/bin/sh", "/usr/bin/sh")
    assert programs.find_program("/bin/sh") == "/bin/sh"
    (tmp_path / "crun").write_text("#!/bin/sh")
    for name in ("no-such-program", str(tmp_path / "crun"), str(tmp_path), "./sh"):
        with pytest.raises(HostNotReady, match=r"is not (installed|a program on this host)"):
            programs.find_program(name)


def test_the_caller_s_path_is_not_searched(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A17: an evil program in the directory or the PATH of whoever runs us is not found."""
    (tmp_path / "evil-program").write_text("#!/bin/sh\n")
    (tmp_path / "evil-program").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HostNotReady):
        programs.find_program("evil-program")


def test_a_script_without_interpreter_is_an_error_of_the_program(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken").write_text("#!/no/such/interpreter\n")
    (tmp_path / "broken").chmod(0o755)
    for start in (programs.run, programs.spawn):
        with pytest.raises(RuntimeFailure, match="broken cannot be started: No such file or directory"):
            start([str(tmp_path / "broken")])


def test_waiting_for_a_spawned_program_is_possible() -> None:
    process = programs.spawn(["sh", "-c", "exit 5"])
    assert process.wait() == 5
    assert isinstance(process, subprocess.Popen)
