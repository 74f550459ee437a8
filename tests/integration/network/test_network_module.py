# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The modules network and network_info, as users run them, with containers that run on real bridges."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import living_processes
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import store_image
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

IMAGE = "sha256:" + "1" * 64
SLEEP: dict[str, t.Any] = {"command": ["sleep", "1000"], "stop_timeout": 0}


@pytest.fixture
def target(
    engine_roots: Paths, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path
) -> t.Iterator[Target]:
    """A target on the host of the LAN, with an image and no networks. Its containers are removed at the end."""
    store_image(engine_roots, busybox_rootfs_tar)
    target = Target(engine_roots, tmp_path, IMAGE, "")
    yield target
    with Engine(engine_roots) as engine:
        names = [row["name"] for row in engine.records.read().all("SELECT name FROM containers")]
    for name in names:
        target.remove(name)


def check_do_again(target: Target, **options: t.Any) -> tuple[Result, Result]:
    """The planned and the real result of a task that changes something once."""
    planned, done, again, again_planned = target.run(
        target.network(check=True, diff=True, **options),
        target.network(diff=True, **options),
        target.network(**options),
        target.network(check=True, **options),
    )
    assert [result.get("msg") for result in (planned, done, again, again_planned)] == [None] * 4
    assert planned["changed"] is done["changed"] is True
    for key in ("actions", "differences", "diff"):
        assert planned[key] == done[key]
    assert planned.get("warnings") == done.get("warnings")
    assert again["changed"] is again_planned["changed"] is False
    return planned, done


class Inside(t.NamedTuple):
    """A running container, looked at from within its network namespace."""

    pid: int
    container_id: str
    addresses: tuple[str, ...]
    mac: str
    mtu: str
    routes: tuple[str, ...]


def look(target: Target, lan: Lan, name: str, interface: str = "eth0") -> Inside:
    with Engine(target.paths) as engine:
        record = find_container(engine.records, name)
        assert record is not None
        init = living_processes(engine.paths, record).init
        assert init is not None
        netns = os.path.join(engine.paths.netns, record.id)
    link = lan.run(netns, ["ip", "-o", "link", "show", interface]).split()
    addresses = lan.run(netns, ["ip", "-o", "address", "show", interface, "scope", "global"])
    routes = "".join(lan.run(netns, ["ip", version, "route"]) for version in ("-4", "-6"))
    return Inside(
        init.pid,
        record.id,
        tuple(line.split()[3] for line in addresses.splitlines()),
        link[link.index("link/ether") + 1],
        link[link.index("mtu") + 1],
        tuple(line.strip() for line in routes.splitlines() if not line.startswith("fe80::")),
    )


def bridges(lan: Lan) -> list[str]:
    lines = lan.run("host", ["ip", "-o", "link", "show", "type", "bridge"]).splitlines()
    return [line.split(": ")[1] for line in lines]


@pytest.mark.smoke
def test_from_nothing_to_gone(target: Target, lan: Lan) -> None:
    planned, done = check_do_again(target, labels={"owner": "shop"})
    assert done["actions"] == ["create network backend"]
    assert done["diff"] == {"before": {"exists": False}, "after": {"exists": True}}
    network = done["network"]
    assert planned["network"] == {**network, "Id": "", "Created": "0001-01-01T00:00:00Z", "Interface": ""}
    assert bridges(lan) == [], "the bridge comes with the first container"

    target.make(name="web", network_mode="backend", **SLEEP)
    assert bridges(lan) == [network["Interface"]]
    [looked] = target.run(target.network_info(name="backend"))
    [web] = looked["network"]["Containers"].values()
    inside = look(target, lan, "web")
    assert (web["Name"], web["IPv4Address"], web["MacAddress"]) == ("web", *inside.addresses, inside.mac)

    refused, refused_planned = target.run(
        target.network(state="absent"), target.network(state="absent", check=True)
    )
    for result in (refused, refused_planned):
        assert result["msg"].startswith("remove network backend: connected to it: web (remove or disconnect")
        assert result["containers"] == ["web"]
    target.remove("web")
    assert bridges(lan) == []
    _planned, gone = check_do_again(target, state="absent")
    assert gone["actions"] == ["remove network backend"]
    assert "network" not in gone
