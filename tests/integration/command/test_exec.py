# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle exec`: with pipes, at a terminal, in the background."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore, Terminal
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

DETACH = "\x10\x11"


@pytest.fixture
def web(harbour: Harbour) -> Harbour:
    harbour.start("web", "sleep", "1000")
    return harbour


def sessions(harbour: Harbour) -> list[pathlib.Path]:
    return list(pathlib.Path(harbour.paths.run_root).glob("containers/*/*/exec/*"))


def test_codes_and_streams(coracle: Shore, web: Harbour) -> None:
    answer = coracle.run("exec", "web", "sh", "-c", "echo out; echo err >&2; exit 9")
    assert answer == (9, "out\n", "err\n")
    assert coracle.run("exec", "web", "sh", "-c", "kill -9 $$").code == 137
    missing = coracle.refused("exec", "web", "nope", code=127)
    assert missing.startswith("Error: exec in container web: the container has no program nope")
    assert missing.count("\n") == 1
    assert "cannot be run" in coracle.refused("exec", "web", "/etc/passwd", code=126)
    assert "working directory /nope" in coracle.refused("exec", "-w", "/nope", "web", "pwd", code=127)
    assert coracle.refused("exec", "none", "id") == "Error: No such container: none\n"
    coracle("stop", "-t", "0", "web")
    assert coracle.refused("exec", "web", "id") == "Error: container web is not running (start it first)\n"


@pytest.fixture
def slow_runtime(tmp_path: pathlib.Path) -> str:
    """One that takes its time with the pid file, as one does that gets no processor."""
    slow = tmp_path / "crun-slow"
    slow.write_text(
        "#!/bin/sh\n"
        "place=$(echo \"$*\" | sed -n 's/.*--pid-file[= ]\\([^ ]*\\).*/\\1/p')\n"
        '[ -n "$place" ] || exec crun "$@"\n'
        'arguments=$(echo "$*" | sed "s|$place|$place.early|")\n'
        "(while [ ! -s $place.early ]; do sleep 0.01; done; sleep 0.5; mv $place.early $place) &\n"
        "crun $arguments\ncode=$?\nwait\nexit $code\n"
    )
    slow.chmod(0o755)
    return str(slow)


def test_complaints_before_the_runtime_has_noted_the_program(
    coracle: Shore, web: Harbour, slow_runtime: str
) -> None:
    web.start("late", "sleep", "1000", runtime=slow_runtime)
    answer = coracle.run("exec", "late", "/bin/ls", "/nothing-there")
    assert (answer.code, answer.out) == (1, "")
    assert "/nothing-there" in answer.err


def test_options(coracle: Shore, web: Harbour, tmp_path: pathlib.Path) -> None:
    (tmp_path / "env").write_text("FROM_FILE=1\nBOTH=file\n")
    environment = ["--env-file", str(tmp_path / "env"), "-e", "BOTH=option", "-e", "NOBODY_HAS_IT"]
    said = coracle("exec", *environment, "-u", "app", "-w", "/tmp", "web", "sh", "-c", "id -u; pwd; env")
    assert said.splitlines()[:2] == ["1000", "/tmp"]
    assert {"FROM_FILE=1", "BOTH=option", "HOME=/home/app"} < set(said.splitlines())
    assert "NOBODY_HAS_IT" not in said
    assert coracle("exec", "web", "cat", stdin="not asked for") == ""
    assert coracle("exec", "-i", "web", "cat", stdin="asked for") == "asked for"
    powers = coracle("exec", "--privileged", "web", "grep", "CapEff", "/proc/self/status")
    assert powers != coracle("exec", "web", "grep", "CapEff", "/proc/self/status")
    assert coracle("exec", web.record("web").id[:8], "echo", "-e", "ab") == "ab\n"


def test_10_mb_both_ways(coracle: Shore, web: Harbour, tmp_path: pathlib.Path) -> None:
    content = os.urandom(10_000_000)
    (tmp_path / "in").write_bytes(content)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        argv = [coracle.program, "exec", "-i", "web", "cat"]
        subprocess.run(argv, stdin=source, stdout=target, timeout=60, check=True)
    back = (tmp_path / "out").read_bytes()
    assert hashlib.sha256(back).digest() == hashlib.sha256(content).digest()


def test_no_descriptor_of_the_host_gets_inside(coracle: Shore, web: Harbour, tmp_path: pathlib.Path) -> None:
    """Not even the one that the output goes to: who has it can read and change the file."""
    with open(tmp_path / "out", "w+", encoding="utf-8") as target:
        argv = [coracle.program, "exec", "web", "ls", "-l", "/proc/self/fd"]
        subprocess.run(argv, stdin=target, stdout=target, stderr=target, timeout=60, check=False)
        target.seek(0)
        shown = target.read()
    leads = re.findall(r" (\d+) -> (\S+)", shown)
    assert {number for number, _place in leads} == {"0", "1", "2"}
    assert all(place.startswith("pipe:") for _number, place in leads)


def test_signals_end_the_program(coracle: Shore, web: Harbour) -> None:
    argv = [coracle.program, "exec", "web", "sh", "-c", "echo ready; exec sleep 1234"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as attached:
        assert attached.stdout is not None
        assert attached.stdout.readline() == "ready\n"
        attached.send_signal(signal.SIGTERM)
        assert attached.wait(20) == 143
    assert "1234" not in coracle("exec", "web", "ps")


def test_signals_before_the_runtime_has_noted_the_program(
    coracle: Shore, web: Harbour, slow_runtime: str
) -> None:
    web.start("late", "sleep", "1000", runtime=slow_runtime)
    argv = [coracle.program, "exec", "late", "sh", "-c", "echo ready; exec sleep 1234"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as attached:
        assert attached.stdout is not None
        assert attached.stdout.readline() == "ready\n"
        attached.send_signal(signal.SIGTERM)
        assert attached.wait(20) == 143


def test_nobody_reads_what_is_written(coracle: Shore, web: Harbour) -> None:
    line = f"{coracle.program} exec web yes | head -1"
    done = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, text=True, timeout=30, check=True)
    assert done.stdout == "y\n"
    assert "yes" not in coracle("exec", "web", "ps")


def test_a_shell_at_a_terminal(coracle: Shore, web: Harbour) -> None:
    with coracle.at_terminal("exec", "-it", "web", "sh", rows=33, columns=99) as person:
        person.type("stty size; tty; echo $TERM\n")
        person.wait_for("33 99\r\n/dev/pts/0\r\nxterm")
        person.resize(50, 90)
        person.type("while [ \"$(stty size)\" != '50 90' ]; do sleep 0.05; done; echo resi''zed\n")
        person.wait_for("resized")
        person.type("sleep 1000\n")
        time.sleep(0.3)
        person.type("\x03")
        person.type("echo code''=$?\n")
        person.wait_for("code=130")
        person.type("exit 5\n")
        assert person.end() == 5
    wait_until(lambda: sessions(web), lambda found: found == [])


def test_a_session_that_was_left_goes_on(coracle: Shore, web: Harbour) -> None:
    with coracle.at_terminal(
        "exec", "-it", "web", "sh", "-c", "echo re''ady; sleep 1; touch /tmp/done"
    ) as person:
        person.wait_for("ready")
        person.type(DETACH)
        assert person.end() == 0
    assert len(sessions(web)) == 1
    wait_until(lambda: sessions(web), lambda found: found == [])
    coracle("exec", "web", "ls", "/tmp/done")


def test_a_session_whose_person_is_hung_up_ends(coracle: Shore, web: Harbour) -> None:
    with coracle.at_terminal("exec", "-it", "web", "sh") as person:
        person.type("echo re''ady\n")
        person.wait_for("ready")
        os.kill(person.pid, signal.SIGHUP)
        assert person.end() == 129
    wait_until(lambda: sessions(web), lambda found: found == [])


def test_the_terminal_is_as_it_was(coracle: Shore, web: Harbour) -> None:
    script = "echo before=$(stty -g).; coracle exec -it web sh; echo after=$(stty -g).; exit 0"
    with Terminal(["/bin/sh", "-c", script.replace("coracle", coracle.program)]) as person:
        before = re.search(r"before=(\S+)\.", person.wait_for("."))
        person.type("echo th''ere\n")
        person.wait_for("there")
        coracle("kill", "web")
        after = re.search(r"after=(\S+)\.", person.wait_for("after=") + person.wait_for("."))
        assert person.end() == 0
    assert before is not None
    assert after is not None
    assert before[1] == after[1]


def test_pasting_100_kb(coracle: Shore, web: Harbour) -> None:
    text = "".join(f"{number:06} {'x' * 92}\n" for number in range(1000))
    line = f"stty -echo; echo ready; head -c {len(text)} | sha256sum"
    with coracle.at_terminal("exec", "-it", "web", "sh", "-c", line) as person:
        person.wait_for("ready")
        person.type(text)
        person.wait_for(hashlib.sha256(text.encode()).hexdigest())
        assert person.end() == 0


def test_in_the_background(coracle: Shore, web: Harbour) -> None:
    assert coracle("exec", "-d", "web", "sh", "-c", "sleep 0.3; touch /tmp/done") == ""
    wait_until(lambda: sessions(web), lambda found: found == [])
    coracle("exec", "web", "ls", "/tmp/done")
    assert "no program nope" in coracle.refused("exec", "-d", "web", "nope", code=127)


def test_a_terminal_needs_one(coracle: Shore, web: Harbour) -> None:
    assert coracle.refused("exec", "-it", "web", "sh") == "Error: the input device is not a TTY\n"
    assert coracle("exec", "-t", "web", "tty") == "/dev/pts/0\n"
    assert sessions(web) == []


def test_killed_at_odd_moments(coracle: Shore, web: Harbour) -> None:
    for number in range(8):
        with coracle.at_terminal("exec", "-it" if number % 2 else "-i", "web", "cat") as person:
            time.sleep(0.08 + 0.03 * number)
            os.kill(person.pid, signal.SIGKILL)
    assert coracle("exec", "web", "echo", "well") == "well\n"
    assert web.status("web").status == "running"
