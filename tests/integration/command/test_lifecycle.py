# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container's life by hand: create, start, pause, rename, stop, remove; and what people are told."""

from __future__ import annotations

import re

import pytest

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

ID = r"[0-9a-f]{64}\n"


def status(coracle: Shore, name: str) -> str:
    return coracle("ps", "-a", "--filter", f"name=^{name}$", "--format", "{{.Status}}").strip()


def create(coracle: Shore, name: str, *command: str) -> str:
    return coracle("create", "--network", "none", "--name", name, "busybox", *command).strip()


def test_from_create_to_rm(coracle: Shore) -> None:
    container_id = create(coracle, "web", "sleep", "1000")
    assert re.fullmatch(ID, f"{container_id}\n")
    assert status(coracle, "web") == "Created"
    assert coracle("start", "web") == "web\n"
    assert re.fullmatch(r"Up (Less than a second|\d+ seconds?)", status(coracle, "web"))
    assert coracle("pause", "web") == "web\n"
    assert status(coracle, "web").endswith(" (Paused)")
    assert coracle.refused("pause", "web") == "Error: Container web is already paused\n"
    assert "You cannot remove a paused container" in coracle.refused("rm", "web")
    assert coracle("unpause", container_id[:6]) == f"{container_id[:6]}\n"
    assert coracle.refused("unpause", "web") == "Error: Container web is not paused\n"
    assert coracle("rename", "web", "old") == ""
    assert coracle("restart", "-t", "0", "old") == "old\n"
    assert coracle.refused("rm", "old") == (
        f"Error: You cannot remove a running container {container_id}. "
        "Stop the container before attempting removal or force remove\n"
    )
    assert coracle("stop", "-t0", "old") == "old\n"
    assert re.fullmatch(r"Exited \(137\) [\w ]+ ago", status(coracle, "old"))
    assert coracle.refused("kill", "old") == (
        f"Error: Cannot kill container: old: container {container_id} is not running\n"
    )
    assert coracle("rm", "old") == "old\n"
    assert coracle.refused("start", "old") == "Error: No such container: old\n"
    assert coracle("ps", "-aq") == ""


def test_names_that_are_taken_and_ids_that_are_not_clear(coracle: Shore, harbour: Harbour) -> None:
    first = create(coracle, "web", "true")
    assert coracle.refused("create", "--name", "web", "busybox") == (
        f'Error: Conflict. The container name "/web" is already in use by container "{first}". '
        "You have to remove (or rename) that container to be able to reuse that name.\n"
    )
    ids = [first]
    while len({container_id[0] for container_id in ids}) == len(ids):
        ids.append(create(coracle, f"c{len(ids)}", "true"))
    twice = next(text[0] for text in ids[:-1] if text[0] == ids[-1][0])
    assert "Multiple IDs found with provided prefix" in coracle.refused("inspect", twice)
    coracle("inspect", "--format", "{{.Name}}", "/web")


def test_several_names_one_of_which_is_wrong(coracle: Shore) -> None:
    create(coracle, "one", "true")
    create(coracle, "two", "true")
    answer = coracle.run("rm", "one", "nosuch", "two")
    assert answer == (1, "one\ntwo\n", "Error: No such container: nosuch\n")
    answer = coracle.run("rm", "-f", "nosuch")
    assert (answer.code, answer.err) == (0, "Error: No such container: nosuch\n")


def test_kill_sends_any_signal(coracle: Shore, harbour: Harbour) -> None:
    create(coracle, "web", "sh", "-c", "trap 'exit 7' HUP; echo ready; while :; do sleep 0.05; done")
    coracle("start", "web")
    harbour.wait_for("web", "running")
    while "ready" not in harbour.output("web"):
        pass
    assert coracle("kill", "-s", "HUP", "web") == "web\n"
    harbour.wait_for("web", "exited")
    assert coracle("inspect", "-f", "{{.State.ExitCode}}", "web") == "7\n"


def test_inspect_finds_anything(coracle: Shore, harbour: Harbour) -> None:
    create(coracle, "web", "true")
    container, image = coracle.json("inspect", "web", "busybox:1")
    assert container["Name"] == "/web"
    assert image["Id"] == harbour.image.id
    assert "busybox:1" in coracle("image", "inspect", "-f", "{{json .RepoTags}}", "busybox")
    answer = coracle.run("inspect", "nosuch")
    assert answer == (1, "[]\n", "Error: No such object: nosuch\n")
    assert coracle.refused("image", "inspect", "web") == "Error: No such image: web:latest\n"
    assert coracle("inspect", "--type", "container", "-f", "{{.State.Status}}", "web") == "created\n"
    sizes = coracle.json("inspect", "-s", "web")[0]
    assert (sizes["SizeRw"], sizes["SizeRootFs"]) == (0, harbour.image.size)


def test_update_changes_what_can_be_changed(coracle: Shore, harbour: Harbour) -> None:
    create(coracle, "web", "sleep", "1000")
    coracle("start", "web")
    before = harbour.record("web").state.run
    assert coracle("update", "--memory", "64m", "--restart", "on-failure:3", "--cpus=0.5", "web") == "web\n"
    config = harbour.record("web").config
    assert (config.memory, config.restart_policy, config.restart_retries) == (64 << 20, "on-failure", 3)
    assert config.cpus == 0.5
    assert harbour.record("web").state.run == before
    assert "you must provide one or more flags" in coracle.refused("update", "web")
    assert "--memory: 'lots' is not a size" in coracle.refused("update", "-m", "lots", "web")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["port", "web", "81"], "Error: No public port '81/tcp' published for web\n"),
        (["rename", "web", "a b"], "Error: NEW_NAME: 'a b' is not a container name"),
        (["stop", "-s", "NONSENSE", "web"], "Error: --signal: 'NONSENSE' is not a signal"),
        (["start", "-a", "web", "web2"], "you cannot start and attach multiple containers at once"),
    ],
)
def test_refusals(coracle: Shore, arguments: list[str], complaint: str) -> None:
    create(coracle, "web", "true")
    assert complaint in coracle.refused(*arguments)
