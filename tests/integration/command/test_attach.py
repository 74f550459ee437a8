# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle attach` and `start -a`: a person at a pseudo-terminal, and pipes."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import signal
import subprocess
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore, Terminal
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

DETACH = "\x10\x11"
SHELL: dict[str, t.Any] = {"tty": True, "interactive": True}
OF_100_KB = "".join(f"{number:06} {'x' * 92}\n" for number in range(1000))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def shell(coracle: Shore, script: str) -> Terminal:
    """A shell at a terminal, as a person has one; `coracle` in the script is the command."""
    return Terminal(["/bin/sh", "-c", script.replace("coracle", coracle.program)])


def test_detach_and_attach_again(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sh", **SHELL)
    with coracle.at_terminal("attach", "web") as person:
        person.type("kept=yes; echo be''gun\n")
        person.wait_for("begun")
        person.type(DETACH)
        assert person.end() == 0
    assert harbour.status("web").status == "running"
    with coracle.at_terminal("attach", "web") as person:
        person.type("echo ''kept=$kept\n")
        person.wait_for("kept=yes")
        person.type("exit 7\n")
        assert person.end() == 7
    assert harbour.wait_for("web", "exited").exit_code == 7


def test_other_detach_keys(coracle: Shore, harbour: Harbour) -> None:
    """The usual ones go to the program then."""
    harbour.start("web", "sh", "-c", "stty raw; echo ready; head -c 3 | od -c; exec sh", **SHELL)
    wait_until(lambda: harbour.output("web"), lambda output: "ready" in output)
    with coracle.at_terminal("attach", "--detach-keys", "ctrl-x,q", "web") as person:
        person.wait_until_raw()
        person.type("\x10\x11\x18")
        person.type("x")
        person.wait_for("020 021 030")
        person.type("\x18q")
        assert person.end() == 0
    assert harbour.status("web").status == "running"
    assert "is not a sequence of keys" in coracle.refused("attach", "--detach-keys", "ctrl-,", "web")


def test_the_terminal_has_our_size(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sh", **SHELL)
    with coracle.at_terminal("attach", "web", rows=31, columns=97) as person:
        person.type("stty size\n")
        person.wait_for("31 97")
        for rows, columns in ((40, 120), (25, 81), (60, 132)):
            person.resize(rows, columns)
            size = f"{rows} {columns}"
            person.type(
                f"while [ \"$(stty size)\" != '{size}' ]; do sleep 0.05; done; echo now''$(stty size)\n"
            )
            person.wait_for(f"now{size}")


def test_ctrl_c_is_the_program_s(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sh", **SHELL)
    with coracle.at_terminal("attach", "web") as person:
        person.type("echo a''wake; sleep 1000\n")
        person.wait_for("awake")
        time.sleep(0.2)
        person.type("\x03")
        person.type("echo code''=$?\n")
        person.wait_for("code=130")
        person.type(DETACH)
        assert person.end() == 0


@pytest.mark.parametrize("mode", ["stty -echo", "stty raw -echo"])
def test_100_kb_are_pasted_without_loss(coracle: Shore, harbour: Harbour, mode: str) -> None:
    size = len(OF_100_KB)
    harbour.start(
        "web", "sh", "-c", f"{mode}; echo ready; head -c {size} | sha256sum; exec sleep 1000", **SHELL
    )
    wait_until(lambda: harbour.output("web"), lambda text: "ready" in text)
    with coracle.at_terminal("attach", "web") as person:
        person.type(OF_100_KB)
        person.wait_for(digest(OF_100_KB))


def test_a_paste_that_is_echoed(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sh", "-c", f"head -c {len(OF_100_KB)} | sha256sum; exec sleep 1000", **SHELL)
    with coracle.at_terminal("attach", "web") as person:
        lines = OF_100_KB.splitlines(keepends=True)
        for first in range(0, len(lines), 40):
            person.type("".join(lines[first : first + 40]))
            person.wait_for(f"{first + 39:06} ")
        person.wait_for(digest(OF_100_KB))


def test_10_mb_come_out_without_loss(coracle: Shore, harbour: Harbour) -> None:
    """From the first byte: attached before the program is let go."""
    harbour.create("web", "sh", "-c", "seq 1 1440000", **SHELL)
    expected = "".join(f"{number}\n" for number in range(1, 1_440_001))
    assert len(expected) > 10_000_000
    with coracle.at_terminal("start", "-ai", "web") as person:
        assert person.end() == 0
        assert digest(person.text.replace("\r\n", "\n")) == digest(expected)


@pytest.mark.parametrize("how", ["detach", "exit", "SIGTERM", "SIGHUP", "SIGINT", "stopped", "removed"])
def test_the_terminal_is_as_it_was(coracle: Shore, harbour: Harbour, how: str) -> None:
    harbour.start("web", "sh", **SHELL)
    script = "echo before=$(stty -g).; coracle attach web; echo code=$?; echo after=$(stty -g).; exit 0"
    with shell(coracle, script) as person:
        before = re.search(r"before=(\S+)\.", person.wait_for("."))
        person.type("echo th''ere\n")
        person.wait_for("there")
        raw = person.settings()
        children = pathlib.Path(f"/proc/{person.pid}/task/{person.pid}/children").read_text().split()
        if how == "detach":
            person.type(DETACH)
        elif how == "exit":
            person.type("exit\n")
        elif how == "stopped":
            coracle("kill", "web")
        elif how == "removed":
            coracle("rm", "-f", "web")
        else:
            os.kill(int(children[0]), signal.Signals[how])
        after = re.search(r"after=(\S+)\.", person.wait_for("after=") + person.wait_for("."))
        settings = person.settings()
        assert person.end() == 0
    assert before is not None
    assert after is not None
    assert before[1] == after[1]
    assert raw[3] != settings[3]
    codes = {"detach": 0, "exit": 0, "SIGTERM": 143, "SIGHUP": 129, "SIGINT": 130, "stopped": 137}
    assert f"code={codes.get(how, 137)}" in person.text
    if how.startswith("SIG"):
        assert harbour.status("web").status == "running"


def test_streams_are_apart_without_a_terminal(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "sh", "-c", "echo first; echo second >&2; seq 1 200000; exit 3")
    answer = coracle.run("start", "-a", "web")
    numbers = "".join(f"{number}\n" for number in range(1, 200_001))
    assert (answer.code, answer.out == "first\n" + numbers, answer.err) == (3, True, "second\n")


def test_input_through_a_pipe(coracle: Shore, harbour: Harbour) -> None:
    """More than fits into any packet, and then its end."""
    content = OF_100_KB * 100
    harbour.create("web", "sha256sum", interactive=True)
    answer = coracle.run("start", "-ai", "web", stdin=content)
    assert (answer.code, answer.out) == (0, f"{digest(content)}  -\n")


def test_signals_go_to_the_program(coracle: Shore, harbour: Harbour) -> None:
    trap = "trap 'echo hup' HUP; trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    harbour.create("web", "sh", "-c", trap)
    argv = [coracle.program, "start", "-a", "web"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as attached:
        assert attached.stdout is not None
        for signum, said in ((None, "ready"), (signal.SIGHUP, "hup"), (signal.SIGTERM, "term")):
            if signum is not None:
                attached.send_signal(signum)
            assert attached.stdout.readline() == f"{said}\n"
        assert attached.wait(20) == 5


def test_signals_do_not_go_to_the_program(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sh", "-c", "while :; do echo tick; sleep 0.1; done")
    argv = [coracle.program, "attach", "--sig-proxy=false", "web"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as attached:
        assert attached.stdout is not None
        assert attached.stdout.readline() == "tick\n"
        attached.send_signal(signal.SIGINT)
        assert attached.wait(20) == 130
    assert harbour.status("web").status == "running"


def test_nobody_reads_what_is_written(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sh", "-c", "while :; do echo tick; sleep 0.01; done")
    line = f"{coracle.program} attach web | head -1"
    done = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, text=True, timeout=30, check=True)
    assert done.stdout == "tick\n"
    assert harbour.status("web").status == "running"


def test_refusals(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "sh", **SHELL)
    stopped = coracle.refused("attach", "--no-stdin", "web")
    assert stopped == "Error: cannot attach to a stopped container, start it first\n"
    assert coracle.refused("attach", "none") == "Error: No such container: none\n"
    harbour.start("web")
    assert coracle.refused("attach", "web") == "Error: the input device is not a TTY\n"
    coracle("pause", "web")
    paused = coracle.refused("attach", "--no-stdin", "web")
    assert paused == "Error: cannot attach to a paused container, unpause it first\n"
    assert coracle.refused("attach", "web") == paused  # that there is no terminal either comes second
    coracle("unpause", "web")


def test_a_program_that_is_missing(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "nope")
    harbour.create("other", "/etc/passwd")
    assert "not found" in coracle.refused("start", "-a", "web", code=127)
    assert "denied" in coracle.refused("start", "-a", "other", code=126)


def test_a_container_that_removes_itself(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "sh", "-c", "echo said; exit 4", auto_remove=True)
    answer = coracle.run("start", "-a", "web")
    assert (answer.code, answer.out) == (4, "said\n")
    assert not harbour.exists("web")


def test_a_container_that_removes_itself_when_it_was_left(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "sh", auto_remove=True, **SHELL)
    with coracle.at_terminal("start", "-ai", "web") as person:
        person.type("echo th''ere\n")
        person.wait_for("there")
        person.type(DETACH)
        assert person.end() == 0
    assert harbour.status("web").status == "running"
    coracle("kill", "web")
    wait_until(lambda: harbour.exists("web"), lambda exists: not exists)


def test_a_policy_starts_it_again(coracle: Shore, harbour: Harbour) -> None:
    """Who was there leaves with the exit code; the container goes on."""
    harbour.create("web", "sh", restart_policy="always", **SHELL)
    with coracle.at_terminal("start", "-ai", "web") as person:
        person.type("exit 6\n")
        assert person.end() == 6
    wait_until(lambda: harbour.record("web").state.restart_count, lambda count: count >= 1)
    harbour.wait_for("web", "running")


def test_who_does_not_read_does_not_keep_it_from_ending(coracle: Shore, harbour: Harbour) -> None:
    """A stopped terminal stops the program; its end, and its exit code, wait for nobody."""
    harbour.start("web", "sh", "-c", "sleep 1; exec yes", **SHELL)
    with coracle.at_terminal("attach", "web") as person:
        time.sleep(3)
        begun = time.monotonic()
        coracle("kill", "web")
        status = harbour.wait_for("web", "exited")
        assert time.monotonic() - begun < 5
        assert status.exit_code == 137
        assert person.end() == 137
    assert 200_000 < len(person.text) < 2_000_000


def test_killed_at_odd_moments(coracle: Shore, harbour: Harbour) -> None:
    """Whoever is attached is killed while much goes in both directions; the container does not mind."""
    harbour.start("web", "sh", **SHELL)
    for number in range(6):
        with coracle.at_terminal("attach", "web") as person:
            person.type(f"echo go''{number}; seq 1 20000\n")
            person.wait_for(f"go{number}")
            time.sleep(0.01 * number)
            os.kill(person.pid, signal.SIGKILL)
    with coracle.at_terminal("attach", "web") as person:
        person.wait_until_raw()  # before, Ctrl-C is for the command itself
        person.type("\x03\necho ali''ve\n")
        person.wait_for("alive")
        person.type("exit 0\n")
        assert person.end() == 0


def test_killed_while_it_starts(coracle: Shore, harbour: Harbour) -> None:
    """Then the container is started, or is not, and can be either way."""
    harbour.create("web", "sh", **SHELL)
    for number in range(8):
        with coracle.at_terminal("start", "-ai", "web") as person:
            time.sleep(0.05 + 0.04 * number)
            os.kill(person.pid, signal.SIGKILL)
        coracle("stop", "-t", "0", "web")
    with coracle.at_terminal("start", "-ai", "web") as person:
        person.type("exit 3\n")
        assert person.end() == 3
