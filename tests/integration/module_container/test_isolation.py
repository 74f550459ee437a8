# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Namespaces that are the host's, or another container's; and the time zone."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.mounts import is_mounted
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
)

Options = dict[str, t.Any]


def pid(result: Result) -> int:
    return int(result["container"]["State"]["Pid"])


def namespace(process: int | str, kind: str) -> str:
    return os.readlink(f"/proc/{process}/ns/{kind}")


def inside(result: Result, path: str) -> pathlib.Path:
    return pathlib.Path(f"/proc/{pid(result)}/root/{path}")


@pytest.mark.parametrize(
    ("option", "kind"),
    [("pid_mode", "pid"), ("ipc_mode", "ipc"), ("uts", "uts"), ("cgroupns_mode", "cgroup")],
)
def test_what_is_the_hosts(target: Target, option: str, kind: str) -> None:
    declared: Options = {"image": target.image, **QUICK}
    _planned, shared = check_do_again(target, **declared, **{option: "host"})
    assert namespace(pid(shared), kind) == namespace("self", kind)
    other = {"cgroupns_mode": "private"} if option == "cgroupns_mode" else {}
    _planned, own = check_do_again(target, **declared, **other)
    assert own["actions"][0].startswith(f"recreate container web: {option} is host, should be")
    assert namespace(pid(own), kind) != namespace("self", kind)
    assert not os.path.exists(f"/proc/{pid(shared)}")
    target.remove()


def test_processes_of_the_host_are_left_alone_by_its_end(target: Target) -> None:
    program = ["sh", "-c", "sleep 1000 & trap 'exit 0' TERM; wait"]
    first = target.make(pid_mode="host", command=program, stop_timeout=5)
    children = pathlib.Path(f"/proc/{pid(first)}/task/{pid(first)}/children").read_text().split()
    assert children
    assert inside(first, f"proc/{os.getpid()}/stat").exists()
    target.remove()
    assert not any(os.path.exists(f"/proc/{child}") for child in children)


def test_the_host_name_of_the_host(target: Target) -> None:
    done = target.one(image=target.image, uts="host", **QUICK)
    assert done["container"]["Config"]["Hostname"] == os.uname().nodename
    assert inside(done, "etc/hostname").read_text().strip() == os.uname().nodename
    assert f"HOSTNAME={os.uname().nodename}" in pathlib.Path(f"/proc/{pid(done)}/environ").read_text()
    assert "hostname would be the host's" in target.fails(
        image=target.image, uts="host", hostname="x", **QUICK
    )
    target.remove()


def test_memory_and_processes_of_another_container(target: Target) -> None:
    owner = target.make(name="db", ipc_mode="shareable", shm_size="8m", **QUICK)
    joining: Options = {"ipc_mode": "container:db", "pid_mode": "container:db"}
    _planned, joined = check_do_again(target, image=target.image, **joining, **QUICK)
    for kind in ("ipc", "pid"):
        assert namespace(pid(joined), kind) == namespace(pid(owner), kind)
    inside(owner, "dev/shm/x").write_text("seen")
    assert inside(joined, "dev/shm/x").read_text() == "seen"
    assert os.statvfs(inside(joined, "dev/shm")).f_blocks * 4096 == 8 << 20
    shm = target.paths.shared_memory(owner["container"]["Id"])
    assert is_mounted(shm)
    target.remove("db")
    assert not os.path.exists(shm)
    assert not os.path.exists(f"/proc/{pid(joined)}")
    assert "there is no container db" in target.fails(state="started")
    target.remove()


def test_who_cannot_be_joined(target: Target) -> None:
    target.make(name="db", **QUICK)
    refused, gone, itself, planned, stopped, late = target.run(
        target.container(image=target.image, ipc_mode="container:db", **QUICK),
        target.container(image=target.image, pid_mode="container:nobody", **QUICK),
        target.container(image=target.image, pid_mode="container:web", **QUICK),
        target.container(image=target.image, pid_mode="container:nobody", check=True, **QUICK),
        target.container(name="db", state="stopped"),
        target.container(image=target.image, pid_mode="container:db", **QUICK),
    )
    assert "container db does not share its memory (give it ipc_mode: shareable" in refused["msg"]
    assert "pid_mode: there is no container nobody" in gone["msg"]
    assert "pid_mode names the container itself" in itself["msg"]
    assert "pid_mode: there is no container nobody" in planned["warnings"][0]
    assert stopped["changed"]
    assert "pid_mode: container db does not run" in late["msg"]
    [seen] = target.run(target.info())
    assert [container["Name"] for container in seen["containers"]] == ["/db"]
    target.remove("db")


def test_no_shared_memory(target: Target) -> None:
    done = target.make(ipc_mode="none", **QUICK)
    assert not inside(done, "dev/shm").exists()
    target.remove()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "local"])
def test_the_time_zone(target: Target, zone: str) -> None:
    source = "/etc/localtime" if zone == "local" else f"/usr/share/zoneinfo/{zone}"
    done = target.one(image=target.image, timezone=zone, **QUICK)
    assert inside(done, "etc/localtime").read_bytes() == pathlib.Path(source).read_bytes()
    target.remove()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"timezone": "Middle/Earth"}, "this host knows no zone Middle/Earth (install tzdata"),
        ({"timezone": "../../etc/shadow"}, "is not a time zone"),
        ({"ipc_mode": "mine"}, "write host, none, shareable, private or container:NAME"),
        (
            {"ipc_mode": "host", "shm_size": "8m"},
            "shm_size is of a shared memory that is not the container's",
        ),
        ({"ipc_mode": "host", "sysctls": {"kernel.sem": "1 2 3 4"}}, "would change what is not"),
    ],
)
def test_modes_that_make_no_sense(target: Target, options: Options, problem: str) -> None:
    assert problem in target.fails(image=target.image, **options, **QUICK)
