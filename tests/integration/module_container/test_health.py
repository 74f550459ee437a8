# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Health checks: probed by a process of ours, waited for, changed while the container runs."""

from __future__ import annotations

import os
import pathlib
import signal
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.keeper import (
    HEALTH,
    find_keeper,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import QUICK

Options = dict[str, t.Any]


def check(test: t.Any, **more: t.Any) -> Options:
    return {"healthcheck": {"test": test, "interval": "200ms", "retries": 2, **more}}


def inside(result: Result, name: str) -> pathlib.Path:
    return pathlib.Path(f"/proc/{result['container']['State']['Pid']}/root/{name}")


def health(target: Target, options: Options) -> dict[str, t.Any]:
    """`State.Health` of the container; `options` are those that it has."""
    return t.cast("dict[str, t.Any]", target.make(**options)["container"]["State"]["Health"])


def test_a_container_becomes_healthy_and_unhealthy(target: Target) -> None:
    options = {**check("test -e /well && echo fine"), **QUICK}
    first = target.make(**options)
    assert first["container"]["State"]["Health"] == {"Status": "starting", "FailingStreak": 0, "Log": []}
    wait_until(lambda: health(target, options)["Status"], lambda status: status == "unhealthy")
    inside(first, "well").touch()
    wait_until(lambda: health(target, options)["Status"], lambda status: status == "healthy")
    state = health(target, options)
    assert (state["FailingStreak"], state["Log"][-1]["Output"], state["Log"][-1]["ExitCode"]) == (
        0,
        "fine\n",
        0,
    )
    inside(first, "well").unlink()
    wait_until(lambda: health(target, options)["FailingStreak"], lambda streak: streak >= 2)
    assert len(health(target, options)["Log"]) == 5
    target.remove()
    wait_until(lambda: find_keeper(target.paths, HEALTH), lambda keeper: keeper is None)


def test_state_healthy_waits(target: Target) -> None:
    well = check(
        ["CMD-SHELL", "test -e /well || { echo not yet; exit 1; }"], start_period="1m", start_interval="200ms"
    )
    declared: Options = {"image": target.image, "state": "healthy", **well, "stop_timeout": 0}
    program = ["sh", "-c", "sleep 1; touch /well; sleep 1000"]
    planned, done, again = target.run(
        target.container(command=program, check=True, **declared),
        target.container(command=program, **declared),
        target.container(command=program, **declared),
    )
    assert planned["actions"] == done["actions"]
    assert done["container"]["State"]["Health"]["Status"] == "healthy"
    assert (again["changed"], again["actions"]) == (False, [])
    # What does not become healthy is not what comes to stay.
    [failed] = target.run(
        target.container(command=["sleep", "1000"], **{**declared, **check("echo sick; false")})
    )
    assert "the new container is unhealthy: sick" in failed["msg"]
    assert (failed["changed"], failed["actions"]) == (
        True,
        ["restart container web: its replacement failed"],
    )
    [back] = target.run(target.container(command=program, **declared))
    assert (back["changed"], back["container"]["Id"]) == (False, done["container"]["Id"])
    target.remove()


def test_a_check_changes_while_the_container_runs(target: Target) -> None:
    first = target.make(**check("false"), **QUICK)
    options = {**check("true"), **QUICK}
    second = target.make(**options)
    assert second["actions"][0].startswith("update container web: healthcheck is ")
    assert second["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    wait_until(lambda: health(target, options)["Status"], lambda status: status == "healthy")
    none = target.make(healthcheck={"test": "NONE"}, **QUICK)
    assert "Health" not in none["container"]["State"]
    refused = target.fails(state="healthy")
    assert "it has no health check, so nothing can say that it is healthy (give healthcheck" in refused
    target.remove()


def test_a_probe_that_hangs_is_killed_and_holds_up_no_other(target: Target) -> None:
    target.make(name="slow", **check("echo begun; sleep 1000", timeout="500ms"), **QUICK)
    target.make(name="quick", **check("true"), **QUICK)

    def states() -> dict[str, str]:
        [found] = target.run(target.info())
        return {each["Name"][1:]: each["State"]["Health"]["Status"] for each in found["containers"]}

    assert wait_until(states, lambda found: found == {"slow": "unhealthy", "quick": "healthy"})
    [found] = target.run(target.info(name=["slow"]))
    [slow] = found["containers"]
    assert slow["State"]["Health"]["Log"][-1]["Output"] == "Health check exceeded timeout (0.5s)"
    assert slow["State"]["Health"]["Log"][-1]["ExitCode"] == -1
    for name in ("slow", "quick"):
        target.remove(name)


def test_a_killed_keeper_is_replaced_by_the_next_task(target: Target) -> None:
    options = {**check("true"), **QUICK}
    target.make(**options)
    keeper = wait_until(lambda: find_keeper(target.paths, HEALTH), lambda found: found is not None)
    os.kill(keeper.pid, signal.SIGKILL)
    planned, done, again = target.run(
        *(
            target.container(image=target.image, check=check_mode, **options)
            for check_mode in (True, False, False)
        )
    )
    said = "watch the health of containers again: who did was killed"
    assert planned["actions"] == done["actions"] == [said]
    assert again["changed"] is False
    wait_until(lambda: health(target, options)["Status"], lambda status: status == "healthy")
    target.remove()
    with Engine(target.paths) as engine:
        assert find_keeper(engine.paths, HEALTH) is None


def test_a_new_container_that_does_not_become_healthy_is_told(target: Target) -> None:
    """It stays, for somebody to look at, and the failed task says so."""
    declared = {"image": target.image, "state": "healthy", **check("echo sick; false"), **QUICK}
    failed, info = target.run(target.container(**declared), target.info(name="web"))
    assert "container web is unhealthy: sick" in failed["msg"]
    assert failed["changed"] is True
    assert failed["actions"] == [f"create container web from {target.image}", "start container web"]
    assert info["exists"] is True
    target.remove()


def test_one_waits_for_the_health_of_another(target: Target) -> None:
    sick = {**check("echo no; exit 3"), "name": "db"}
    task = {
        "containers": [{"name": "app", "depends_on": {"db": "healthy"}}, sick],
        "defaults": {"image": target.image, "network_mode": "none", **QUICK},
    }
    [failed, done] = target.run(
        target._task("coracle.engine.containers", False, False, task),
        target._task(
            "coracle.engine.containers",
            False,
            False,
            {**task, "containers": [task["containers"][0], {**sick, **check("true")}]},
        ),
    )
    assert "app: container db is unhealthy: no" in failed["msg"]
    assert not done.get("failed"), done
    assert done["actions"][-1] != ""
    for name in ("app", "db"):
        target.remove(name)
