# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whoever changes links is killed, or refused by the kernel, at many points: the next task finds or removes
everything, and nothing is left in the end.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import list_hidden
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import bridges
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    BRIDGE,
    MACVLAN,
    Pool,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import endpoints_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    repair_replacement,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import store_image, wait_until
from ansible_collections.coracle.engine.tests.integration.faults import verbs as container_verbs
from ansible_collections.coracle.engine.tests.integration.faults.injection import STATE_CHANGING
from ansible_collections.coracle.engine.tests.integration.faults.test_containers import Verb
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    fail_everywhere,
    kill_everywhere,
)
from ansible_collections.coracle.engine.tests.integration.network import cells, verbs
from ansible_collections.coracle.engine.tests.integration.network.cells import Cells, host_links
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("host")]

NOTHING_OF_OURS = {"lo", "eth0"}
TALKING = ("sendto", "setns")  # netlink; and what is done in the container's namespace
ALL = (*STATE_CHANGING, *TALKING, "write")


# One link


class ConnectCell(Trial):
    verb = staticmethod(verbs.connect_cell)

    def check_done(self, engine: Engine) -> None:
        place, driver = self.arguments
        assert self.has_gateway(place)
        assert ("10.99.0.1" in _run("ip", "address")) == (driver == BRIDGE)

    def has_gateway(self, place: str) -> bool:
        return "default via 10.99.0.1 dev eth0" in _run("nsenter", f"--net={place}", "ip", "route")

    def go_back(self, engine: Engine) -> None:
        verbs.disconnect_cell(engine, *self.arguments)
        self.check_gone()

    def check_gone(self) -> None:
        place, _driver = self.arguments
        assert host_links() == NOTHING_OF_OURS
        assert "eth0" not in _run("nsenter", f"--net={place}", "ip", "link")


class ConnectCellButSweep(ConnectCell):
    """Nobody wants it any more: whatever the killed one had made is found by its tag."""

    def do_again(self, engine: Engine) -> None:
        bridges.sweep_links(cells.snapshot([], []))

    def check_done(self, engine: Engine) -> None:
        """Connected where nobody was killed; else gone."""

    def go_back(self, engine: Engine) -> None:
        bridges.sweep_links(cells.snapshot([], []))
        self.check_gone()


class DisconnectCell(ConnectCell):
    verb = staticmethod(verbs.disconnect_cell)

    def begin(self, engine: Engine) -> None:
        verbs.connect_cell(engine, *self.arguments)

    def check_done(self, engine: Engine) -> None:
        self.check_gone()


@pytest.mark.parametrize(
    ("trial", "driver"),
    [
        (ConnectCell, BRIDGE),
        (ConnectCell, MACVLAN),
        (ConnectCellButSweep, BRIDGE),
        (DisconnectCell, BRIDGE),
        (DisconnectCell, MACVLAN),
    ],
)
def test_killed_between_the_calls_to_the_kernel(
    engine_roots: Paths, cells: Cells, trial: t.Callable[..., Trial], driver: str
) -> None:
    kill_everywhere(trial(engine_roots, cells.new(), driver), 40, (*TALKING, "write"))


@pytest.mark.parametrize(("error", "calls"), [("ENOBUFS", ("sendto",)), ("EROFS", ("write",))])
def test_the_kernel_refuses(engine_roots: Paths, cells: Cells, error: str, calls: t.Sequence[str]) -> None:
    """A message, or a setting."""
    fail_everywhere(ConnectCell(engine_roots, cells.new(), BRIDGE), error, calls, 40)


# A container on two networks with a published port


class NetworkVerb(Verb):
    """One verb on the container `web`, a server; see `verbs.create_server`."""

    def __init__(self, paths: Paths, lan: Lan) -> None:
        super().__init__(paths)
        self.lan = lan

    def create(self, engine: Engine) -> None:
        verbs.create_server(engine, "web")

    def answer(self) -> str:
        return self.lan.probe("neighbour", "tcp", ADDRESSES["host"], 8080, timeout=2)

    def check_running(self, engine: Engine) -> None:
        """Who gives the last answer has a moment to end."""
        wait_until(lambda: self.processes(engine), lambda found: len(found) == 1)
        super().check_running(engine)

    def check_connected(self, engine: Engine, networks: int, answer: str = "at your service") -> None:
        self.check_running(engine)
        wait_until(self.answer, lambda found: found == f"open:{answer}\n")
        assert len(host_links() - NOTHING_OF_OURS) == 2 * networks  # a bridge and a port for each
        interfaces = {f"eth{number}" for number in range(networks)}
        record = self.record(engine)
        assert record is not None
        place = self.paths.network_namespace(record.id)
        assert {name for name in cells.links_in(place) if name != "lo"} == interfaces

    def check_nothing_on_host(self) -> None:
        """What an exit handler still does has a moment."""
        assert wait_until(self.left_on_host, lambda left: not left, 10) == []

    def left_on_host(self) -> list[str]:
        left = sorted(host_links() - NOTHING_OF_OURS)
        left += [line for line in _run("nft", "list", "tables").splitlines() if self.paths.instance in line]
        if os.path.isdir(self.paths.netns):
            left += os.listdir(self.paths.netns)
        return left

    def go_back(self, engine: Engine) -> None:
        super().go_back(engine)
        self.check_nothing_on_host()
        assert self.lan.sysctl("host", "ipv4/ip_forward") == "0"


class Start(NetworkVerb):
    verb = staticmethod(container_verbs.start_container)

    def begin(self, engine: Engine) -> None:
        self.create(engine)

    def check_done(self, engine: Engine) -> None:
        self.check_connected(engine, 2)


class Stop(NetworkVerb):
    verb = staticmethod(container_verbs.stop_container)

    def begin(self, engine: Engine) -> None:
        self.create(engine)
        container_verbs.start_container(engine, "web")

    def check_done(self, engine: Engine) -> None:
        self.check_at_rest(engine, "exited")
        self.check_nothing_on_host()


class Remove(Stop):
    verb = staticmethod(container_verbs.remove_container)

    def do_again(self, engine: Engine) -> None:
        self.go_back(engine)

    def check_done(self, engine: Engine) -> None:
        assert self.status(engine) == "absent"
        self.check_nothing_on_host()


class Connect(Stop):
    verb = staticmethod(verbs.connect)

    def __init__(self, paths: Paths, lan: Lan) -> None:
        super().__init__(paths, lan)
        self.arguments = ("web", "third")

    def check_done(self, engine: Engine) -> None:
        self.check_connected(engine, 3)


class Disconnect(Connect):
    verb = staticmethod(verbs.disconnect)

    def begin(self, engine: Engine) -> None:
        super().begin(engine)
        verbs.connect(engine, "web", "third")

    def check_done(self, engine: Engine) -> None:
        self.check_connected(engine, 2)


class Replace(NetworkVerb):
    verb = staticmethod(verbs.replace)

    def begin(self, engine: Engine) -> None:
        verbs.create_old(engine, "web")
        container_verbs.start_container(engine, "web")

    def do_again(self, engine: Engine) -> None:
        """What the next task finds is undone or finished: the port is with the one that goes by the name."""
        for half in list_hidden(engine.database):
            repair_replacement(engine, half.id)
        record = self.record(engine)
        assert record is not None
        is_new = record.config.command == ["nc", "-ll", "-p", "80", "-e", "echo", "new"]
        self.check_fixed(engine, "new" if is_new else "old")
        if not is_new:
            verbs.replace(engine, "web")

    def check_done(self, engine: Engine) -> None:
        self.check_fixed(engine, "new")

    def check_fixed(self, engine: Engine, answer: str) -> None:
        assert list_hidden(engine.database) == []
        self.check_connected(engine, 2, answer)
        record = self.record(engine)
        assert record is not None
        front, _back = endpoints_of(engine.database.read(), record.id)
        assert (front.address(4), front.mac) == (verbs.FIXED_ADDRESS, verbs.FIXED_MAC)
        assert self.lan.probe("host", "tcp", verbs.FIXED_ADDRESS, 80, timeout=2) == f"open:{answer}\n"


@pytest.fixture
def paths(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path) -> Paths:
    store_image(engine_roots, busybox_rootfs_tar)
    with Engine(engine_roots) as engine:
        create_network(engine, "front", NetworkOptions(dns=False, pools=(Pool(verbs.FRONT, "10.99.0.1"),)))
        for name in ("back", "third"):
            create_network(engine, name, NetworkOptions(dns=False))
    return engine_roots


@pytest.mark.parametrize(
    ("trial", "limit"),
    [(Start, 20), (Stop, 14), (Remove, 14), (Connect, 14), (Disconnect, 14), (Replace, 14)],
)
def test_killed_anywhere(paths: Paths, lan: Lan, trial: t.Callable[[Paths, Lan], Trial], limit: int) -> None:
    kill_everywhere(trial(paths, lan), limit, ALL)


def _run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
