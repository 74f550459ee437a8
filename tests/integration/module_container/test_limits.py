# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Limits that change while the container runs: set, again, changed, removed, and what the kernel says each
time.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.host_facts import (
    read_host_facts,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import cgroup_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.cgroups import layout
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import update_container
from ansible_collections.coracle.engine.tests.integration.container.harbour import wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
)

Options = dict[str, t.Any]
IS_V2 = layout().mode == "v2"


def held(target: Target, result: Result, controller: str, v1: str, v2: str) -> str:
    """What a file of the container's control group says."""
    group = cgroup_of(target.paths, result["container"]["Id"])
    path = pathlib.Path(layout().controllers[controller], group, v2 if IS_V2 else v1)
    return " ".join(path.read_text().split())


def memory(target: Target, result: Result) -> str:
    return held(target, result, "memory", "memory.limit_in_bytes", "memory.max")


def processes(target: Target, result: Result) -> str:
    return held(target, result, "pids", "pids.max", "pids.max")


def quota(target: Target, result: Result) -> str:
    """Microseconds per period; `-1` and `max` are none."""
    return held(target, result, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]


def processors(target: Target, result: Result) -> str:
    return held(target, result, "cpuset", "cpuset.cpus", "cpuset.cpus.effective")


def shares(target: Target, result: Result) -> str:
    return held(target, result, "cpu", "cpu.shares", "cpu.weight")


ALL = f"0-{(os.cpu_count() or 1) - 1}"
NO_MEMORY = "max" if IS_V2 else str(2**63 - 4096)
NO_QUOTA = "max" if IS_V2 else "-1"

CASES: dict[str, tuple[t.Callable[[Target, Result], str], list[tuple[Options, str]]]] = {
    "memory": (
        memory,
        [
            ({"memory": "64m"}, str(64 << 20)),
            ({"memory": "32m", "memory_swap": "1g"}, str(32 << 20)),
            ({"memory": "1g", "memory_swap": "-1", "memory_reservation": "64m"}, str(1 << 30)),
            ({"memory": "48m"}, str(48 << 20)),
        ],
    ),
    "cpus": (quota, [({"cpus": 0.5}, "50000"), ({"cpus": 1.5}, "150000")]),
    "cpu_quota": (
        quota,
        [
            ({"cpu_quota": 10000, "cpu_period": 20000}, "10000"),
            ({"cpu_quota": 50000}, "50000"),
        ],
    ),
    "cpu_shares": (
        shares,
        [
            ({"cpu_shares": 512}, "20" if IS_V2 else "512"),
            ({"cpu_shares": 2048}, "79" if IS_V2 else "2048"),
        ],
    ),
    "cpuset_cpus": (processors, [({"cpuset_cpus": "0"}, "0")]),
    "pids_limit": (
        processes,
        [({"pids_limit": 20}, "20"), ({"pids_limit": -1}, "max"), ({"pids_limit": 30}, "30")],
    ),
}
NONE = {
    "memory": NO_MEMORY,
    "cpus": NO_QUOTA,
    "cpu_quota": NO_QUOTA,
    "cpu_shares": "39" if IS_V2 else "1024",
    "cpuset_cpus": ALL,
    "pids_limit": "2048",
}


@pytest.mark.parametrize("option", CASES)
def test_a_limit_changes_while_the_container_runs(target: Target, option: str) -> None:
    look, values = CASES[option]
    first = target.make(**QUICK)
    assert look(target, first) == NONE[option]
    for options, expected in [*values, ({}, NONE[option])]:
        done = target.make(**options, **QUICK)
        [said] = done["actions"]
        assert said.startswith("update container web: ")
        assert f"{option} is" in said or f"{next(iter(options))} is" in said
        assert {difference["how"] for difference in done["differences"]} == {"live"}
        assert target.make(**options, **QUICK)["actions"] == []
        assert look(target, done) == expected
        assert done["container"]["Id"] == first["container"]["Id"]
        assert done["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    target.remove()


def test_a_limit_by_name_alone(target: Target) -> None:
    target.make(memory="64m", cpus=0.5, **QUICK)
    _planned, done = check_do_again(target, memory="96m")
    assert done["actions"] == ["update container web: memory is 64m, should be 96m"]
    assert memory(target, done) == str(96 << 20)
    assert quota(target, done) == "50000"
    [stopped, changed, started] = target.run(
        target.container(state="stopped"),
        target.container(state="stopped", memory="0"),
        target.container(state="started"),
    )
    assert changed["actions"] == ["update container web: memory is 96m, should be not set"]
    assert memory(target, started) == NO_MEMORY
    assert stopped["changed"]
    target.remove()


def test_a_paused_container_gets_them_too(target: Target) -> None:
    target.make(paused=True, **QUICK)
    _planned, done = check_do_again(target, image=target.image, memory="64m", pids_limit=9, **QUICK)
    assert done["container"]["State"]["Status"] == "paused"
    assert memory(target, done) == str(64 << 20)
    target.remove()


@pytest.mark.skipif(IS_V2, reason="not applicable: control groups v2 give any limit, and then kill")
def test_what_the_kernel_refuses_leaves_everything_as_it_was(target: Target) -> None:
    """Locked memory cannot be given back: less than that is refused."""
    eat = ["sh", "-c", "dd if=/dev/zero of=/eaten/x bs=1M count=24; exec sleep 600"]
    declared = {"command": eat, "tmpfs": ["/eaten"], "stop_timeout": 0}
    first = target.make(memory="64m", memory_swap="64m", **declared)
    group = cgroup_of(target.paths, first["container"]["Id"])
    usage = pathlib.Path(layout().controllers["memory"], group, "memory.usage_in_bytes")
    wait_until(lambda: int(usage.read_text()), lambda bytes_used: bytes_used > 24 << 20)
    said = target.fails(image=target.image, memory="8m", memory_swap="8m", pids_limit=9, cpus=0.5, **declared)
    assert said.startswith("update container web: crun update: ")
    [seen] = target.run(target.info(name=["web"]))
    [now] = seen["containers"]
    assert now["State"]["Pid"] == first["container"]["State"]["Pid"]
    assert (now["HostConfig"]["Memory"], now["HostConfig"]["PidsLimit"]) == (64 << 20, 2048)
    assert memory(target, first) == str(64 << 20)
    assert processes(target, first) == "2048"
    assert quota(target, first) == NO_QUOTA
    [same] = target.run(
        target.container(image=target.image, memory="64m", memory_swap="64m", **declared),
    )
    assert same["changed"] is False
    target.remove()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_that_was_killed_is_finished_by_the_next_task(target: Target, when: str) -> None:
    first = target.make(memory="64m", **QUICK)
    child = os.fork()
    if child == 0:
        apply = update_container.apply_limits

        def killed(*arguments: t.Any) -> None:
            if when == "after":
                apply(*arguments)
            os._exit(9)

        update_container.apply_limits = killed
        try:
            target.make(memory="128m", pids_limit=9, **QUICK)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    planned, done, again = target.run(
        *(
            target.container(image=target.image, memory="128m", pids_limit=9, check=check, **QUICK)
            for check in (True, False, False)
        )
    )
    said = "repair container web: a change of its limits was interrupted"
    assert planned["actions"] == done["actions"] == [said]
    assert again["changed"] is False
    assert memory(target, first) == str(128 << 20)
    assert processes(target, first) == "9"
    assert again["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    target.remove()


def test_rates_of_a_disk(target: Target, disk: str) -> None:
    if IS_V2:
        pytest.skip("not applicable: the files of control groups v1 are looked at")
    first = target.make(**QUICK)
    group = cgroup_of(target.paths, first["container"]["Id"])
    numbers = f"{os.major(os.stat(disk).st_rdev)}:{os.minor(os.stat(disk).st_rdev)}"
    for options, expected in (
        ({"device_read_bps": [{"path": disk, "rate": "1m"}]}, f"{numbers} 1048576"),
        ({"device_read_bps": [{"path": disk, "rate": 2048}]}, f"{numbers} 2048"),
        ({}, ""),
    ):
        done = target.make(**options, **QUICK)
        file = pathlib.Path(layout().controllers["blkio"], group, "blkio.throttle.read_bps_device")
        assert file.read_text().strip() == expected
        assert done["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    rates = {
        f"device_{what}": [{"path": disk, "rate": 7}] for what in ("write_bps", "read_iops", "write_iops")
    }
    again = target.make(recreate=True, **rates, **QUICK)
    group = cgroup_of(target.paths, again["container"]["Id"])
    for what in ("write_bps", "read_iops", "write_iops"):
        file = pathlib.Path(layout().controllers["blkio"], group, f"blkio.throttle.{what}_device")
        assert file.read_text().strip() == f"{numbers} 7"
    target.remove()


@pytest.fixture
def disk() -> str:
    """A disk of this machine, which nobody reads for these tests."""
    return next(f"/dev/{name}" for name in sorted(os.listdir("/sys/block")) if os.path.exists(f"/dev/{name}"))


PROBLEMS: list[tuple[Options, str]] = [
    ({"device_read_bps": [{"path": "/dev/null", "rate": 1}]}, "/dev/null is not a block device"),
    ({"device_write_iops": [{"path": "/dev/nothing", "rate": 1}]}, "/dev/nothing: No such file"),
    ({"device_read_bps": [{"path": "/dev/sda", "rate": "0"}]}, "lets nothing through"),
    ({"device_cgroup_rules": ["c 1"]}, "is not a rule of a device control group"),
    ({"umask": "0999"}, "is not a mask of permissions"),
    ({"blkio_weight": 5}, "is not between 10 and 1000"),
    ({"memory_swappiness": 101}, "is not between 0 and 100"),
]


def test_limits_that_make_no_sense(target: Target) -> None:
    *results, seen = target.run(
        *(target.container(image=target.image, **options, **QUICK) for options, _problem in PROBLEMS),
        target.info(),
    )
    for (_options, problem), result in zip(PROBLEMS, results):
        assert problem in result["msg"]
    assert seen["containers"] == []


def test_a_weight_that_the_disks_do_not_know(target: Target) -> None:
    if read_host_facts().weighs_disks:
        pytest.skip("not applicable: the disks of this host have a scheduler that knows weights")
    declared: Options = {"image": target.image, "blkio_weight": 100, **QUICK}
    planned, refused, seen = target.run(
        target.container(check=True, **declared), target.container(**declared), target.info()
    )
    assert "blkio_weight: the disks of this host have no scheduler that knows weights" in refused["msg"]
    assert planned["msg"] == refused["msg"]
    assert seen["containers"] == []


def test_a_limit_that_cannot_be_leaves_a_running_container_alone(target: Target) -> None:
    first = target.make(memory="64m", **QUICK)
    declared: Options = {"image": target.image, "memory": "64m", **QUICK}
    wrong: list[tuple[Options, str]] = [
        ({"cpuset_mems": "3"}, "cpuset_mems: '3' names 3, and the memory nodes of this host are 0"),
        ({"device_read_bps": [{"path": "/dev/nope", "rate": 1}]}, "/dev/nope: No such file"),
        ({"device_read_bps": [{"path": "/dev/null", "rate": 1}]}, "/dev/null is not a block device"),
    ]
    *failed, same, gone = target.run(
        *(target.container(**declared, **options) for options, _problem in wrong),
        target.container(**declared),
        target.container(state="absent"),
    )
    for (_options, problem), result in zip(wrong, failed):
        assert problem in result["msg"]
        assert "could not be brought back" not in result["msg"]
    assert same["changed"] is False
    assert same["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    assert gone["actions"] == ["stop container web", "remove container web"]


def test_what_needs_another_container(target: Target) -> None:
    declared: Options = {
        "umask": "0027",
        "annotations": {"org.example.team": "blue"},
        "device_cgroup_rules": ["c 10:229 rwm"],
        **({} if IS_V2 else {"memory_swappiness": 10, "oom_killer": True}),
    }
    first = target.one(image=target.image, **declared, **QUICK)
    pid = first["container"]["State"]["Pid"]
    assert "Umask:\t0027" in pathlib.Path(f"/proc/{pid}/status").read_text()
    host = first["container"]["HostConfig"]
    assert host["Annotations"] == {"org.example.team": "blue"}
    assert host["DeviceCgroupRules"] == ["c 10:229 rwm"]
    if not IS_V2:
        assert held(target, first, "memory", "memory.swappiness", "") == "10"
        assert held(target, first, "memory", "memory.oom_control", "").startswith("oom_kill_disable 1")
        assert "c 10:229 rwm" in held(target, first, "devices", "devices.list", "")
    _planned, live = check_do_again(
        target, image=target.image, **{**declared, "annotations": {"org.example.team": "red"}}, **QUICK
    )
    assert live["container"]["State"]["Pid"] == pid
    _planned, plain = check_do_again(target, image=target.image, **QUICK)
    assert plain["actions"][0].startswith("recreate container web: ")
    assert "umask is 0027, should be 0022" in plain["actions"][0]
    assert "Umask:\t0022" in pathlib.Path(f"/proc/{plain['container']['State']['Pid']}/status").read_text()
    target.remove()
