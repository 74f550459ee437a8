# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""container_exec: what runs, what it returns, what is refused, and what nothing is done for."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target

SLEEP = "sleep 1000"


@pytest.fixture
def running(target: Target) -> t.Iterator[Target]:
    """With a container `web` that sleeps."""
    target.make(command=SLEEP)
    yield target
    target.remove()


def failure(result: Result) -> tuple[t.Any, ...]:
    assert result["failed"] is True
    return result["rc"], result["error"], result["msg"]


def test_results_as_of_command(running: Target) -> None:
    said, failed, strict = running.run(
        running.exec(argv=["sh", "-c", "echo out; echo; echo err >&2"]),
        running.exec(command="sh -c 'echo reason >&2; exit 3'"),
        running.exec(command="echo", strip_empty_ends=False),
    )
    assert (said["changed"], said["rc"], said["stdout"], said["stderr"]) == (True, 0, "out", "err")
    assert said["cmd"] == ["sh", "-c", "echo out; echo; echo err >&2"]
    assert said["start"] < said["end"]
    assert said["delta"].startswith("0:00:00.")
    assert (failed["failed"], failed["rc"], failed["msg"]) == (True, 3, "non-zero return code")
    assert (failed["changed"], failed["stderr"]) == (True, "reason")
    assert strict["stdout"] == "\n"


def test_options(running: Target) -> None:
    place, who, environment, given, terminal, powers = running.run(
        running.exec(command="pwd", chdir="/home/app"),
        running.exec(command="id", user="app"),
        running.exec(command="env", user="app", env={"COLOUR": "red"}),
        running.exec(command="cat", stdin="to read", strip_empty_ends=False),
        running.exec(command="sh -c 'tty; echo $TERM; echo both >&2'", tty=True),
        running.exec(command="grep CapEff /proc/self/status", privileged=True),
    )
    assert place["stdout"] == "/home/app"
    assert who["stdout"] == "uid=1000(app) gid=1000(app) groups=4(adm),1000(app),2000(extra)"
    assert {"COLOUR=red", "HOME=/home/app", "FROM_IMAGE=yes"} < set(environment["stdout_lines"])
    assert not any(line.startswith("TERM=") for line in environment["stdout_lines"])
    assert given["stdout"] == "to read\n"
    assert terminal["stdout"] == "/dev/pts/0\r\nxterm\r\nboth"
    own = pathlib.Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in own.splitlines() if line.startswith("CapBnd"))
    assert powers["stdout"].split()[1] == bounding


def test_refusals_are_told_apart(running: Target) -> None:
    missing, forbidden, nowhere, nobody, unknown, empty = running.run(
        running.exec(command="nope"),
        running.exec(command="/etc/passwd"),
        running.exec(command="pwd", chdir="/nope"),
        running.exec(command="id", user="nobody2"),
        running.exec(command="id", container="none"),
        running.exec(command=""),
    )
    assert failure(missing)[:2] == (127, "NotFound")
    assert failure(missing)[2].startswith("exec in container web: the container has no program nope")
    assert failure(forbidden)[:2] == (126, "RuntimeFailure")
    assert failure(nowhere)[:2] == (127, "NotFound")
    assert "working directory /nope: No such file or directory" in nowhere["msg"]
    assert nobody["msg"].startswith(
        "exec in container web: unable to find user nobody2: it is not in /etc/passwd"
    )
    assert unknown["msg"] == "there is no container none"
    assert empty["msg"].startswith("command: there is nothing to run")


def test_stopped_and_paused_containers(running: Target) -> None:
    _pause, paused, _stop, stopped = running.run(
        running.container(paused=True),
        running.exec(command="id"),
        running.container(state="stopped", force_kill=True),
        running.exec(command="id"),
    )
    assert paused["msg"] == "container web is paused (unpause it first)"
    assert stopped["msg"] == "container web is not running (start it first)"


def test_check_mode_as_of_command(running: Target) -> None:
    skipped, would, need_not, absent, fine = running.run(
        running.exec(check=True, command="touch /tmp/made"),
        running.exec(check=True, command="touch /tmp/made", creates="/tmp/made"),
        running.exec(check=True, command="touch /tmp/made", creates="/etc/passwd"),
        running.exec(check=True, command="id", container="later", creates="/tmp/made"),
        running.exec(command="ls /tmp"),
    )
    assert (skipped["skipped"], skipped["changed"]) == (True, False)
    assert (would["changed"], would.get("skipped")) == (True, None)
    assert (need_not["changed"], need_not["rc"]) == (False, 0)
    assert absent["skipped"] is True
    assert fine["stdout"] == ""


def test_creates_and_removes(running: Target) -> None:
    make = {"command": "touch /tmp/made", "creates": "/tmp/made"}
    made, again, removed, gone, relative = running.run(
        running.exec(**make),
        running.exec(**make),
        running.exec(command="rm /tmp/made", removes="/tmp/made"),
        running.exec(command="rm /tmp/made", removes="/tmp/made"),
        running.exec(command="id", chdir="/etc", creates="passwd"),
    )
    assert (made["changed"], again["changed"]) == (True, False)
    assert again["msg"] == "Did not run command since '/tmp/made' exists"
    assert (removed["changed"], gone["changed"]) == (True, False)
    assert gone["stdout"] == "skipped, since /tmp/made does not exist"
    assert relative["changed"] is False


def test_links_do_not_lead_outside(running: Target, tmp_path: pathlib.Path) -> None:
    """What is there on the host is not there in the container, whatever its links say."""
    (tmp_path / "canary").write_text("host")
    outside = f"/link{tmp_path}/canary"
    _link, climb, there, around = running.run(
        running.exec(command="ln -s /proc/1/root /up"),
        running.exec(command="ln -s ../../../../../../ /link"),
        running.exec(check=True, command="id", removes=outside),
        running.exec(check=True, command="id", removes=f"/up{tmp_path}/canary"),
    )
    assert climb["rc"] == 0
    assert (there["changed"], around["changed"]) == (False, False)


def test_timeout_kills_the_session(running: Target) -> None:
    late, left = running.run(
        running.exec(command="sh -c 'echo begun; sleep 300 & sleep 400'", timeout=0.5),
        running.exec(command="ps -o stat,args"),
    )
    assert failure(late)[:2] == (124, "TimedOut")
    assert late["stdout"] == "begun\n"
    assert not any("sleep 300" in line or "sleep 400" in line for line in left["stdout_lines"])


def test_detached_programs_go_on_and_leave_nothing(running: Target) -> None:
    begun, both, seen, later = running.run(
        running.exec(command="sh -c 'sleep 2; touch /tmp/late'", detach=True),
        running.exec(command="id", detach=True, stdin="nobody reads this"),
        running.exec(command="ps -o args"),
        running.exec(command="sh -c 'while [ ! -e /tmp/late ]; do sleep 0.1; done'", timeout=20),
    )
    assert len(begun["exec_id"]) == 64
    assert both["failed"] is True
    assert "sleep 2" in seen["stdout_lines"]
    assert later["rc"] == 0
    assert not [
        place
        for place in pathlib.Path(running.paths.run_root).glob("containers/*/*/exec/*")
        if (place / "conmon.pid").exists()
    ]
