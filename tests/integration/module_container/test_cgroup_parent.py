# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers below a control group of somebody else: set, again, changed, removed, and looked at."""

from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.check_containers import (
    check_containers,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
)

Options = dict[str, t.Any]


@pytest.fixture
def parent(target: Target) -> t.Iterator[str]:
    """A control group of this test, gone afterwards."""
    name = f"{target.paths.instance}-batch"
    yield name
    cgroups.remove(name)


def groups(path: str) -> list[str]:
    """Hierarchies that have the group."""
    return [place for place in cgroups.layout().hierarchies if os.path.isdir(os.path.join(place, path))]


def test_another_parent(target: Target, parent: str) -> None:
    declared: Options = {"image": target.image, "memory": "64m", **QUICK}
    _planned, first = check_do_again(target, **declared, cgroup_parent=f"/{parent}")
    container_id, pid = first["container"]["Id"], first["container"]["State"]["Pid"]
    assert first["container"]["HostConfig"]["CgroupParent"] == parent
    own = f"{parent}/{container_id}"
    assert pid in cgroups.processes(own)
    assert groups(f"{target.paths.cgroup_parent}/{container_id}") == []
    memory = os.path.join(cgroups.layout().controllers["memory"], own)
    is_v2 = cgroups.layout().mode == "v2"
    limit = pathlib.Path(memory, "memory.max" if is_v2 else "memory.limit_in_bytes")
    assert limit.read_text().strip() == str(64 << 20)

    paused, resumed, said, seen, less = target.run(
        target.container(state="started", paused=True),
        target.container(state="started", paused=False),
        target.exec(argv=["true"]),
        target.info(name="web", stats=True, processes=True),
        target.container(**declared | {"memory": "32m"}, cgroup_parent=f"/{parent}/"),
    )
    assert paused["container"]["State"]["Paused"] is True
    assert resumed["container"]["State"]["Paused"] is False
    assert said["rc"] == 0
    assert len(seen["containers"][0]["Processes"]) == 2
    assert less["actions"] == ["update container web: memory is 64m, should be 32m"]
    assert limit.read_text().strip() == str(32 << 20)

    _planned, second = check_do_again(target, **declared, cgroup_parent=f"/{parent}/night")
    assert f"cgroup_parent is {parent}, should be {parent}/night" in second["actions"][0]
    assert groups(own) == []
    _planned, third = check_do_again(target, **declared)
    assert groups(f"{parent}/night/{second['container']['Id']}") == []
    assert groups(f"{target.paths.cgroup_parent}/{third['container']['Id']}")
    target.remove()
    assert groups(parent)


def test_what_a_crash_leaves_is_found(target: Target, parent: str) -> None:
    done = target.make(**QUICK, cgroup_parent=parent)
    group = f"{parent}/{done['container']['Id']}"
    for pid in cgroups.processes(group):
        with contextlib.suppress(ProcessLookupError):  # it has ended with another one
            os.kill(pid, 9)
    wait_until(lambda: cgroups.processes(group), lambda found: not found)
    again = target.make(**QUICK, cgroup_parent=parent, restart=False)
    assert again["container"]["State"]["Running"] is True
    with Engine(target.paths) as engine:
        assert list(check_containers(engine)) == []
    target.remove()
    assert groups(group) == []


def test_no_path(target: Target) -> None:
    said = target.fails(image=target.image, cgroup_parent="../x", **QUICK)
    assert "cgroup_parent: '../x' is not the path of a control group (write for example" in said
