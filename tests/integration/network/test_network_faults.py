# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Networks change under containers that run, and the task is killed or refused at many points: the next one
brings it to its end, containers run on, and nothing is left.
"""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import Network
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    addresses_in,
    find_network,
    list_endpoints,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_network import (
    remove_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.repairs import plan_repairs
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.faults.injection import Operation, Point, sample
from ansible_collections.coracle.engine.tests.integration.network.changes import make_network
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

pytestmark = pytest.mark.slow

# Netlink, the state file, the kernel's settings, name server and firewall.
SYSCALLS = (
    "sendto",
    "sendmsg",
    "pwrite64",
    "fdatasync",
    "write",
    "?rename",
    "?unlink",
    "kill",
    "clone",
    "?vfork",
)
REFUSABLE = ("sendto", "sendmsg", "pwrite64", "fdatasync")
FORMER: dict[str, t.Any] = {"ipam_config": [{"subnet": "10.90.1.0/24"}], "driver_options": {"mtu": 1400}}
OTHER: dict[str, t.Any] = {
    "ipam_config": [{"subnet": "10.90.2.0/24"}],
    "driver_options": {"mtu": 1300, "bridge": "br-other"},
}


class Scene:
    """Two containers, one with an address of its own choice, on a network that a task shall change."""

    def __init__(self, harbour: Harbour, lan: Lan) -> None:
        self.harbour = harbour
        self.lan = lan
        make_network(harbour.engine, FORMER)
        fixed = [{"name": "backend", "ipv4_address": "10.90.1.99"}]
        harbour.start("web", "sleep", "1000", network_mode="backend", networks=fixed)
        harbour.start("db", "sleep", "1000", network_mode="backend")
        self.pids = self._pids()
        lan.serve(self.netns("web"), "tcp", "0.0.0.0", 7000, "web")

    def netns(self, name: str) -> str:
        return self.harbour.paths.network_namespace(self.harbour.record(name).id)

    def _pids(self) -> dict[str, int]:
        return {name: self.harbour.status(name).pid for name in ("web", "db")}

    def network(self) -> Network:
        network = find_network(self.harbour.engine.records.read(), "backend")
        assert network is not None
        return network

    def check(self, wanted: dict[str, t.Any]) -> None:
        """Containers are on the network as it was wanted, and nothing is there that was not."""
        network = self.network()
        assert (network.pools[0].subnet, network.mtu) == (
            wanted["ipam_config"][0]["subnet"],
            wanted["driver_options"]["mtu"],
        )
        assert not network.unfinished
        assert self._pids() == self.pids
        endpoints = {endpoint.container_id: endpoint for endpoint in list_endpoints(self._rows())}
        assert len(addresses_in(self._rows(), "backend")) == len(endpoints) == 2
        for name in ("web", "db"):
            [link] = self._links(self.netns(name))
            endpoint = endpoints[self.harbour.record(name).id]
            assert (link["address"], link["mtu"]) == (endpoint.mac, network.mtu)
            shown = json.loads(self.lan.run(self.netns(name), ["ip", "-j", "-4", "address", "show", "eth0"]))
            given = [f"{info['local']}/{info['prefixlen']}" for info in shown[0]["addr_info"]]
            assert given == list(endpoint.addresses)
        web = endpoints[self.harbour.record("web").id].address(4)
        assert self.lan.probe(self.netns("db"), "tcp", web, 7000) == "open:web"
        assert sorted(link["ifname"] for link in self._links("host")) == sorted(
            ["eth0", network.bridge, *(endpoint.host_interface for endpoint in endpoints.values())]
        )

    def _links(self, place: str) -> list[dict[str, t.Any]]:
        links = json.loads(self.lan.run(place, ["ip", "-j", "link"]))
        return [link for link in links if link["ifname"] != "lo"]

    def _rows(self) -> t.Any:
        return self.harbour.engine.records.read()


@pytest.fixture
def scene(harbour: Harbour, lan: Lan) -> t.Iterator[Scene]:
    yield Scene(harbour, lan)
    harbour.remove_all()
    remove_network(harbour.engine, "backend")


def interruptions(
    scene: Scene, limit: int, syscalls: t.Sequence[str] = SYSCALLS
) -> t.Iterator[tuple[Point, Operation, dict[str, t.Any]]]:
    """Points of a change from one shape to the other and back, each with what is wanted then."""
    shapes = (OTHER, FORMER)
    operations = [operation(scene, shape, syscalls) for shape in shapes]
    points = operations[0].survey()
    make_network(scene.harbour.engine, FORMER)
    assert len(points) > limit
    for number, point in enumerate(sample(points, limit)):
        yield point, operations[number % 2], shapes[number % 2]


def operation(scene: Scene, options: dict[str, t.Any], syscalls: t.Sequence[str]) -> Operation:
    """Without `follow`: it may leave a name server behind."""
    return Operation(scene.harbour.paths, make_network, options, syscalls=syscalls, follow=False)


def test_killed_at_any_point(scene: Scene) -> None:
    killed = 0
    for point, change, wanted in interruptions(scene, limit=30):
        attempt = change.kill_at(point)
        assert attempt.killed or attempt.done, (point, attempt)
        killed += attempt.killed
        assert scene._pids() == scene.pids, point
        make_network(scene.harbour.engine, wanted)
        scene.check(wanted)
    assert killed > 20


def test_any_task_finishes_it(scene: Scene) -> None:
    """Whatever module it is of; while somebody is at it, nobody else says that he will."""
    engine = scene.harbour.engine
    finished = 0
    for point, change, wanted in interruptions(scene, limit=12):
        killed = change.kill_at(point).killed
        before = scene.network()
        if killed and before.unfinished:
            with lock(engine.paths, "network"):
                assert not _finishing(engine)
            [action] = _finishing(engine)
            assert action == (
                "finish the change of network backend: whoever began it did not get to the end"
            ), point
            plan_repairs(engine).execute(engine)
            finished += 1
            scene.check(OTHER if before.mtu == 1300 else FORMER)
        assert not _finishing(engine)
        make_network(engine, wanted)
        scene.check(wanted)
    assert finished > 0


def _finishing(engine: Engine) -> list[str]:
    return [action for action in plan_repairs(engine).actions if action.startswith("finish")]


def test_refused_at_any_point(scene: Scene) -> None:
    """Either it was done all the same, or everything is as it was before: at once, or with the next task."""
    refused = 0
    former = FORMER
    for point, change, wanted in interruptions(scene, 20, REFUSABLE):
        attempt = change.fail_at(point, "EIO")
        assert attempt.done or attempt.refused, (point, attempt)
        refused += attempt.refused
        if not scene.network().unfinished:
            scene.check(wanted if attempt.done else former)
        make_network(scene.harbour.engine, wanted)
        scene.check(wanted)
        former = wanted
    assert refused > 0
