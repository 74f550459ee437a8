# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""On the control groups that this host really has, whichever version."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CleanupFailed
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.programs import spawn
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths


@pytest.fixture
def sleeper() -> t.Iterator[subprocess.Popen[bytes]]:
    process = spawn(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def test_a_process_moves_in_every_hierarchy(engine_roots: Paths, sleeper: subprocess.Popen[bytes]) -> None:
    group = f"{engine_roots.cgroup_parent}/conmon"
    cgroups.join(sleeper.pid, group)
    places = pathlib.Path(f"/proc/{sleeper.pid}/cgroup").read_text().split()
    assert {place.split(":")[2] for place in places} == {f"/{group}"}
    assert cgroups.processes(group) == cgroups.processes(engine_roots.cgroup_parent) == [sleeper.pid]
    assert not cgroups.is_frozen(group)
    assert not cgroups.oom_killed(group)

    with pytest.raises(CleanupFailed, match="Device or resource busy"):
        cgroups.remove(engine_roots.cgroup_parent)
    assert cgroups.processes(group) == [sleeper.pid]

    sleeper.kill()
    sleeper.wait()
    cgroups.remove(engine_roots.cgroup_parent)
    cgroups.remove(engine_roots.cgroup_parent)
    assert cgroups.processes(group) == []


def test_the_freezer_is_seen(engine_roots: Paths, sleeper: subprocess.Popen[bytes]) -> None:
    group = f"{engine_roots.cgroup_parent}/frozen"
    cgroups.join(sleeper.pid, group)
    layout = cgroups.layout()
    if layout.mode == "v2":
        freezer, frozen, thawed = pathlib.Path(layout.hierarchies[0], group, "cgroup.freeze"), "1", "0"
    else:
        freezer = pathlib.Path(layout.controllers["freezer"], group, "freezer.state")
        frozen, thawed = "FROZEN", "THAWED"
    freezer.write_text(frozen)
    while not cgroups.is_frozen(group):
        pass
    freezer.write_text(thawed)
    assert not cgroups.is_frozen(group)
    sleeper.kill()
    sleeper.wait()
    cgroups.remove(engine_roots.cgroup_parent)


def test_this_host_is_ready_for_containers() -> None:
    cgroups.check_cgroups()
    assert {"memory", "pids", "cpu"} <= cgroups.available_controllers()


def test_take_over_leaves_nobody_in_the_scope_of_its_starter(
    engine_roots: Paths, sleeper: subprocess.Popen[bytes]
) -> None:
    """From a session's scope into ours; where the process was at the root of a v1 hierarchy it may stay."""
    at = cgroups.layout()
    group, scope = f"{engine_roots.cgroup_parent}/conmon", f"{engine_roots.cgroup_parent}/scope"
    try:
        some = at._replace(hierarchies=at.hierarchies[:1])
        cgroups.join(sleeper.pid, scope, some)
        cgroups.take_over(sleeper.pid, group)
        assert cgroups.processes(scope) == []
        assert cgroups.processes(group) == [sleeper.pid]
        cgroups.leave(sleeper.pid)
        assert cgroups.processes(group) == []
    finally:
        cgroups.remove(engine_roots.cgroup_parent)
