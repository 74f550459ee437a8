# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Differences: seen, told with their reasons, and made away with, without breaking what works."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
    status,
)
from ansible_collections.coracle.engine.tests.integration.registries import Registry


def pid(result: Result) -> int:
    return int(result["container"]["State"]["Pid"])


def test_a_difference_is_a_replacement_with_its_reason(target: Target) -> None:
    first = target.make(shm_size="32m", **QUICK)
    planned, done = check_do_again(target, image=target.image, shm_size="96m", **QUICK)
    assert done["actions"] == ["recreate container web: shm_size is 32m, should be 96m"]
    assert done["differences"] == planned["differences"]
    assert [difference["field"] for difference in done["differences"]] == ["shm_size"]
    assert done["container"]["Id"] != first["container"]["Id"]
    assert done["container"]["HostConfig"]["ShmSize"] == 96 * 1024**2
    assert status(done) == "running"
    assert not os.path.exists(f"/proc/{pid(first)}")

    planned, undone = check_do_again(target, image=target.image, **QUICK)
    assert undone["actions"] == ["recreate container web: shm_size is 96m, should be 64m"]
    target.remove()


def test_diff_and_results_never_show_values_of_the_environment(target: Target) -> None:
    one, other = {"PLAIN": "hunter2", "OLD": "hunter3"}, {"PLAIN": "hunter4", "NEW": "hunter5"}
    _first, changed, same, _gone = target.run(
        target.container(image=target.image, env=one, labels={"tier": "a"}, **QUICK),
        target.container(image=target.image, env=other, labels={"tier": "b"}, diff=True, **QUICK),
        target.container(image=target.image, env=other, labels={"tier": "b"}, diff=True, **QUICK),
        target.container(state="absent"),
    )
    assert changed["diff"]["before"] == {
        "env": {"PLAIN": "(hidden)", "OLD": "(hidden)"},
        "labels": {"tier": "a"},
        "exists": True,
        "running": True,
        "paused": False,
    }
    assert changed["diff"]["after"]["env"] == {"PLAIN": "(hidden, changed)", "NEW": "(hidden)"}
    shown = json.dumps([changed["actions"], changed["differences"], changed["diff"]])
    assert "hunter" not in shown
    assert "PLAIN=hunter4" in changed["container"]["Config"]["Env"]
    assert same["diff"]["before"] == same["diff"]["after"]


def test_another_image(target: Target) -> None:
    second = target.image.replace(":1", ":2")
    target.make(**QUICK)
    planned, done = check_do_again(target, image=second, **QUICK)
    assert done["actions"][1].startswith("recreate container web: image is")
    assert planned["container"]["Config"]["Image"] == done["container"]["Config"]["Image"] == second
    assert os.path.exists(f"/proc/{pid(done)}/root/second")
    target.remove()


def test_what_only_the_record_holds_changes_without_a_restart(target: Target) -> None:
    first = target.make(**QUICK)
    _planned, done = check_do_again(
        target, image=target.image, restart_policy="always", labels={"a": "b"}, **{**QUICK, "stop_timeout": 2}
    )
    assert pid(done) == pid(first)
    assert done["container"]["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert done["container"]["Config"]["StopTimeout"] == 2
    _planned, done = check_do_again(target, restart_policy="no")
    assert pid(done) == pid(first)
    target.remove()


def test_without_an_image_nothing_is_replaced(target: Target) -> None:
    first = target.make(shm_size="32m", env={"A": "1"}, **QUICK)
    refused, same, checked, again = target.run(
        target.container(shm_size="96m", state="stopped"),
        target.container(shm_size="32768k"),
        target.container(user="root", check=True),
        target.container(image=target.image, shm_size="32m", env={"A": "1"}, **QUICK),
    )
    assert "shm_size is 32m, should be 96m: that needs a new container (give image" in refused["msg"]
    assert same["changed"] is False
    assert "user is not set, should be root: that needs a new container" in checked["msg"]
    assert (again["changed"], pid(again)) == (False, pid(first))
    target.remove()


def test_volumes_go_on_to_the_new_container(target: Target, tmp_path: pathlib.Path) -> None:
    declared: dict[str, t.Any] = {
        "image": target.image,
        "volumes": [f"{tmp_path}:/host:ro", "data:/data", "/nameless"],
        **QUICK,
    }
    first = target.make(**declared)
    for place in ("data", "nameless"):
        pathlib.Path(f"/proc/{pid(first)}/root/{place}/written").write_text(place)
    assert not os.access(f"/proc/{pid(first)}/root/host/x", os.W_OK)
    second = target.one(**{**declared, "shm_size": "32m"})
    assert second["container"]["Id"] != first["container"]["Id"]
    assert second["container"]["Mounts"] == first["container"]["Mounts"]
    for place in ("data", "nameless"):
        assert pathlib.Path(f"/proc/{pid(second)}/root/{place}/written").read_text() == place
    target.remove()


def test_a_stopped_container_is_replaced_without_running(target: Target) -> None:
    target.make(state="stopped", **QUICK)
    _planned, done = check_do_again(target, image=target.image, state="stopped", tty=True, **QUICK)
    assert (done["actions"], status(done)) == (
        ["recreate container web: tty is false, should be true"],
        "created",
    )
    target.remove()


def test_a_tag_that_moves(target: Target, registry: Registry) -> None:
    """Check mode asks the registry too and says what would happen; only a policy that asks can know."""

    def move(to: str) -> None:
        body, headers = registry.manifest(to)
        registry.put_manifest("busybox:moving", body, headers["Content-Type"])

    moving = f"{registry.host}/busybox:moving"
    declared = {"image": moving, **QUICK}
    move("busybox:1")
    [first] = target.run(target.container(**declared))
    assert first["actions"][0] == f"pull image {moving}: it is not here"
    move("busybox:2")
    [unasked] = target.run(target.container(**declared))
    assert (unasked["changed"], pid(unasked)) == (False, pid(first))
    planned, done = check_do_again(target, **declared, pull="always")
    assert done["actions"][0].startswith(f"pull image {moving}: {moving} is now sha256:")
    assert done["actions"][1:] == [f"recreate container web: image {moving} has changed"]
    assert [difference["field"] for difference in planned["differences"]] == ["image"]
    assert os.path.exists(f"/proc/{pid(done)}/root/second")
    target.remove()


def test_a_registry_that_does_not_answer(target: Target) -> None:
    """Nobody listens on port 1."""
    silent = "127.0.0.1:1/busybox:1"
    options = {"image": silent, "insecure_registries": ["127.0.0.1:1"], "registry_retries": 0}
    planned, failed, info = target.run(
        target.container(check=True, **options), target.container(**options), target.info()
    )
    assert planned["failed"] is failed["failed"] is True
    assert "127.0.0.1:1" in failed["msg"]
    assert "refuses the connection" in failed["msg"]
    assert info["containers"] == []


def test_how_strictly_a_task_compares(target: Target) -> None:
    first = target.make(env={"A": "1", "B": "2"}, labels={"a": "b"}, user="0", **QUICK)
    more, other, ignored, strict, wrong = target.run(
        target.container(
            image=target.image,
            env={"A": "1"},
            comparisons={"env": "allow_more_present", "labels": "ignore", "user": "ignore"},
            **QUICK,
        ),
        target.container(
            image=target.image, env={"A": "3"}, comparisons={"env": "allow_more_present"}, check=True, **QUICK
        ),
        target.container(image=target.image, hostname="x", comparisons={"*": "ignore"}, **QUICK),
        target.container(image=target.image, comparisons={"*": "ignore", "labels": "strict"}, **QUICK),
        target.container(image=target.image, comparisons={"restart": "ignore"}, **QUICK),
    )
    assert (more["changed"], ignored["changed"]) == (False, False)
    assert other["actions"] == [
        "recreate container web: env: A is changed; labels: a is no longer wanted; "
        "user is 0, should be not set"
    ]
    assert strict["actions"] == ["update container web: labels: a is no longer wanted"]
    assert pid(strict) == pid(first)
    assert "'restart' is not an option that describes a container" in wrong["msg"]
    target.remove()
