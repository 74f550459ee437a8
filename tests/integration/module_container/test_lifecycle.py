# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""From nothing to running to gone, each step planned in check mode, done, and done again."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target

QUICK = {"stop_timeout": 1, "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]}


def check_do_again(target: Target, **options: t.Any) -> tuple[Result, Result]:
    """The planned and the real result of a task that changes something once."""
    planned, done, again, again_planned = target.run(
        target.container(check=True, **options),
        target.container(**options),
        target.container(**options),
        target.container(check=True, **options),
    )
    assert [result.get("msg") for result in (planned, done, again, again_planned)] == [None] * 4
    assert planned["changed"] is done["changed"] is True
    assert planned["actions"] == done["actions"]
    assert planned["differences"] == done["differences"]
    assert again["changed"] is again_planned["changed"] is False
    assert again["actions"] == []
    return planned, done


def status(result: Result) -> str:
    return str(result["container"]["State"]["Status"])


@pytest.mark.smoke
def test_from_nothing_to_gone(target: Target) -> None:
    planned, done = check_do_again(target, image=target.image, **QUICK)
    assert status(planned) == status(done) == "running"
    assert [(one["field"], one["how"]) for one in done["differences"]] == [("exists", "create")]
    assert done["differences"][0]["reason"] == f"create container web from {target.image}"
    assert planned["container"]["Id"] == ""
    assert planned["container"]["Config"] == {**done["container"]["Config"], "Hostname": ""}
    assert planned["container"]["Mounts"] == done["container"]["Mounts"] == []
    assert "FROM_IMAGE=yes" in done["container"]["Config"]["Env"]
    pid = done["container"]["State"]["Pid"]
    assert os.path.exists(f"/proc/{pid}")

    _planned, stopped = check_do_again(target, state="stopped")
    assert (status(stopped), stopped["container"]["State"]["ExitCode"]) == ("exited", 0)
    assert not os.path.exists(f"/proc/{pid}")

    _planned, started = check_do_again(target, state="started")
    assert started["container"]["Id"] == done["container"]["Id"]

    planned, gone = check_do_again(target, state="absent", force_kill=True)
    assert [(one["field"], one["how"]) for one in gone["differences"]] == [("exists", "remove")]
    assert "container" not in planned
    assert "container" not in gone


def test_present_and_stopped_do_not_start(target: Target) -> None:
    _planned, done = check_do_again(target, image=target.image, state="present", **QUICK)
    assert status(done) == "created"
    same, stopped = target.run(
        target.container(image=target.image, state="stopped", **QUICK), target.container(state="absent")
    )
    assert (same["changed"], status(same)) == (False, "created")
    assert stopped["actions"] == ["remove container web"]


def test_pause_restart_rename(target: Target) -> None:
    declared = {"image": target.image, **QUICK}
    running, paused, still, resumed, restarted, gone_on = target.run(
        target.container(**declared),
        target.container(**declared, paused=True),
        target.container(**declared, paused=True),
        target.container(**declared, paused=False),
        target.container(**declared, restart=True),
        target.container(state="started", new_name="web2"),
    )
    assert (status(paused), paused["container"]["State"]["Running"]) == ("paused", True)
    assert still["changed"] is False
    assert resumed["actions"] == ["resume container web"]
    pids = {result["container"]["State"]["Pid"] for result in (running, paused, resumed)}
    assert len(pids) == 1
    assert restarted["container"]["State"]["Pid"] not in pids
    assert restarted["container"]["Id"] == gone_on["container"]["Id"] == running["container"]["Id"]
    assert gone_on["container"]["State"]["Pid"] == restarted["container"]["State"]["Pid"]
    assert (gone_on["actions"], gone_on["container"]["Name"]) == (["rename container web to web2"], "/web2")

    again, old, new = target.run(
        target.container(new_name="web2"),
        target.container(state="absent"),
        target.container(name="web2", state="absent"),
    )
    assert (again["changed"], old["changed"], new["changed"]) == (False, False, True)


def test_signals_of_stop(target: Target) -> None:
    """A program that does not mind SIGTERM, stopped by its own signal, by one of the task, and by force."""
    program = "trap 'echo asked; exit 3' USR1; trap 'exit 4' USR2; trap '' TERM; while :; do sleep 0.1; done"
    declared = {"image": target.image, "command": ["sh", "-c", program], "stop_signal": "USR1"}
    _started, own, _again, other, _again, forced, _gone = target.run(
        target.container(**declared),
        target.container(state="stopped", stop_timeout=30),
        target.container(),
        target.container(state="stopped", stop_timeout=30, force_kill=True, kill_signal="usr2"),
        target.container(),
        target.container(state="stopped", force_kill=True),
        target.container(state="absent"),
    )
    codes = [result["container"]["State"]["ExitCode"] for result in (own, other, forced)]
    assert codes == [3, 4, 137]


def test_a_container_is_never_found_by_a_part_of_its_id(target: Target) -> None:
    created = target.make(state="present")
    full = created["container"]["Id"]
    [part, whole] = target.run(
        target.container(name=full[:12], state="absent"), target.container(name=full, state="absent")
    )
    assert part["changed"] is False
    assert whole["changed"] is True


def test_a_directory_that_is_made_on_the_host_is_told(target: Target) -> None:
    place = target.work / "made" / "deep"
    [planned] = target.run(target.container(check=True, image=target.image, volumes=[f"{place}:/x"], **QUICK))
    assert not place.parent.exists()
    _planned, done = check_do_again(target, image=target.image, volumes=[f"{place}:/x"], **QUICK)
    assert planned["actions"] == done["actions"]
    assert done["actions"][1] == f"create directory {place} on the host: container web mounts it"
    assert place.is_dir()
    target.remove()
