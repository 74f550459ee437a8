# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A replacement that goes wrong or is killed in the middle: the old one runs, and nothing else is left."""

from __future__ import annotations

import os
import signal
import threading
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    find_container,
    list_containers,
    list_hidden,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import select_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import replace_container
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_changes import pid
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import QUICK, status


def only_web(target: Target) -> bool:
    """With nothing left of the replacements, not even a lock."""
    with Engine(target.paths) as engine:
        names = [record.name for record in list_containers(engine.records, hidden=True)]
    locks = [name for name in os.listdir(target.paths.locks) if name.startswith("replacement-")]
    return names == ["web"] and locks == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"command": ["/no/such/program"]}, "no/such/program"),
        ({"runtime": "/no/such/runtime"}, "/no/such/runtime"),
    ],
    ids=["program", "runtime"],
)
def test_what_cannot_be_prepared_never_stops_the_old_one(
    target: Target, broken: dict[str, t.Any], problem: str
) -> None:
    first = target.make(**QUICK)
    failed, info, _gone = target.run(
        target.container(image=target.image, **{**QUICK, **broken}),
        target.info(name="web"),
        target.container(state="absent"),
    )
    assert failed["failed"] is True
    assert problem in failed["msg"]
    assert failed["msg"].startswith("replace container web: prepare the new container: ")
    assert "; the old container runs on" in failed["msg"]
    assert (failed["changed"], failed["actions"]) == (False, [])
    assert (pid(info), info["container"]["Id"]) == (pid(first), first["container"]["Id"])


def test_what_ends_at_once_gives_way_to_the_old_one(target: Target) -> None:
    first = target.make(**QUICK)
    failed, info, again = target.run(
        target.container(image=target.image, command=["sh", "-c", "echo no database; exit 7"]),
        target.info(name="web"),
        target.container(image=target.image, **QUICK),
    )
    assert failed["msg"] == (
        "replace container web: the new container ended at once, with status 7; "
        "the old container runs again; the last lines of the new one: no database"
    )
    assert failed["actions"] == ["restart container web: its replacement failed"]
    assert (status(info), info["container"]["Id"]) == ("running", first["container"]["Id"])
    assert again["changed"] is False
    assert only_web(target)
    target.remove()


def test_what_removes_itself_when_it_ends_is_the_way_back_as_well(target: Target) -> None:
    """Neither half removes itself while the replacement goes on; a new one that is done goes after it."""
    first = target.make(auto_remove=True, **QUICK)
    with pytest.raises(CoracleError, match="the old container runs again"):
        target.make(auto_remove=True, command=["sh", "-c", "exit 7"])
    back = target.make(auto_remove=True, **QUICK)
    assert back["container"]["Id"] == first["container"]["Id"]
    assert only_web(target)
    second = target.make(auto_remove=True, **{**QUICK, "user": "1000"})
    assert second["container"]["Id"] != first["container"]["Id"]
    assert status(second) == "running"
    assert only_web(target)
    with Engine(target.paths) as engine:
        old = find_container(engine.records, "web")
        image = select_image(engine.records.read(), old.image_id)
        old.config.command = ["true"]
        replace_container.replace_container(
            engine, "web", old.config, image, old.image_name, run=True, timeout=1
        )
        assert list_containers(engine.records, hidden=True) == []


def test_a_new_container_that_does_not_start_goes_again(target: Target) -> None:
    failed, info = target.run(
        target.container(image=target.image, command=["/no/such/program"], volumes=["/nameless"]),
        target.info(),
    )
    assert (failed["changed"], failed["actions"]) == (False, [])
    assert "/no/such/program" in failed["msg"]
    assert info["containers"] == []


KILLED_BEFORE = ("prepare_container", "stop_container", "release_container", "_stay_up", "_switch", "_finish")


@pytest.mark.parametrize("moment", KILLED_BEFORE)
def test_killed_in_the_middle_and_repaired_by_the_next_task(target: Target, moment: str) -> None:
    first = target.make(**QUICK)
    replace_and_die_before(target, moment)
    switched = moment == "_finish"

    declared = {"image": target.image, "tty": switched, **QUICK}
    planned, done, again = target.run(
        target.container(check=True, **declared), target.container(**declared), target.container()
    )
    assert planned["actions"] == done["actions"], (planned, done)
    assert done["actions"][0].startswith("repair container web: ")
    assert len(done["actions"]) == 1
    assert status(done) == status(again) == "running"
    assert (done["container"]["Id"] == first["container"]["Id"]) is not switched
    assert again["changed"] is False
    assert only_web(target)
    target.remove()


def replace_and_die_before(target: Target, moment: str) -> None:
    """In a child process: replace web by one with a terminal; be killed right before the step `moment`."""
    child = os.fork()
    if child == 0:
        try:
            setattr(
                replace_container, moment, lambda *_args, **_options: os.kill(os.getpid(), signal.SIGKILL)
            )
            with Engine(target.paths) as engine:
                old = find_container(engine.records, "web")
                image = select_image(engine.records.read(), old.image_id)
                old.config.tty = True
                replace_container.replace_container(
                    engine, "web", old.config, image, old.image_name, run=True, timeout=1
                )
        finally:
            os._exit(1)
    _pid, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended)


def test_a_killed_conmon_is_noticed_and_repaired(target: Target) -> None:
    first = target.make(**QUICK)
    with Engine(target.paths) as engine:
        record = find_container(engine.records, "web")
    os.kill(record.state.run.conmon.pid, signal.SIGKILL)
    info, planned, done, again = target.run(
        target.info(name="web"),
        target.container(check=True),
        target.container(),
        target.container(),
    )
    assert "conmon was killed" in info["container"]["State"]["Error"]
    assert (
        planned["actions"]
        == done["actions"]
        == [
            "repair container web: its conmon was killed",
            "start container web: it is exited",
        ]
    )
    assert pid(done) != pid(first)
    assert again["changed"] is False
    target.remove()


def test_a_task_that_comes_while_another_replaces_plans_from_what_that_one_made(target: Target) -> None:
    stubborn = {"command": ["sh", "-c", "trap '' TERM; while true; do sleep 1; done"], "stop_timeout": 3}
    target.make(**stubborn)
    wanted = {**stubborn, "shm_size": "300m"}
    first: list[dict[str, t.Any]] = []
    other = threading.Thread(target=lambda: first.append(target.make(**wanted)))
    other.start()
    with Engine(target.paths) as engine:
        while not list_hidden(engine.records):
            time.sleep(0.05)
    second = target.make(**wanted)
    other.join()
    assert first[0]["actions"] == ["recreate container web: shm_size is 64m, should be 300m"]
    assert second["actions"] == []
    assert second["container"]["Id"] == first[0]["container"]["Id"]
    assert only_web(target)
    target.remove()


def test_several_tasks_for_one_container_at_once(target: Target) -> None:
    """One makes it; the others find it, perhaps not running yet, or say that they came too late."""
    created = target.run(target.container(image=target.image, **QUICK), hosts=4)
    done = [action for result in created if not result["failed"] for action in result["actions"]]
    assert sum(action.startswith("create container web") for action in done) == 1
    assert all("the name is taken" in result["msg"] for result in created if result["failed"])

    different = {"env": {"HOST": "{{ inventory_hostname }}"}}
    replaced = target.run(target.container(image=target.image, **different, **QUICK), hosts=4)
    assert any(result["changed"] for result in replaced)
    for result in replaced:
        assert not result["failed"] or "web" in result["msg"]
    [info] = target.run(target.info(name="web"))
    assert status(info) == "running"
    assert only_web(target)
    target.remove()
