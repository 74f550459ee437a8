# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers on networks: what they see of them, and how that changes while they run."""

from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import bridge_name
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    endpoints_of,
    find_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.connect_network import (
    connect_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.disconnect_network import (
    disconnect_network,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

pytestmark = pytest.mark.usefixtures("host")

WAIT = ("sleep", "1000")


def test_a_container_on_a_network_reaches_its_gateway_and_beyond(harbour: Harbour, lan: Lan) -> None:
    network = create_network(harbour.engine, "web", NetworkOptions())
    record = harbour.start("shop", *WAIT, network_mode="web")
    [endpoint] = endpoints_of(harbour.engine.records.read(), record.id)
    place = f"{harbour.paths.netns}/{record.id}"
    lan.run(place, ["busybox", "ping", "-c1", "-W2", network.gateway(4)])
    assert endpoint.addresses[0] in lan.run(place, ["ip", "-o", "address", "show", "eth0"])


def test_a_network_comes_and_goes_while_the_program_runs(harbour: Harbour, lan: Lan) -> None:
    for name in ("web", "db"):
        create_network(harbour.engine, name, NetworkOptions())
    record = harbour.start("shop", *WAIT, network_mode="web")
    pid, place = harbour.status("shop").pid, f"{harbour.paths.netns}/{record.id}"

    connect_network(harbour.engine, "shop", "db")
    web, db = endpoints_of(harbour.engine.records.read(), record.id)
    assert (web.interface, db.interface) == ("eth0", "eth1")
    assert db.addresses[0] in lan.run(place, ["ip", "-o", "address", "show", "eth1"])
    assert routes(lan, place) == ["eth0"]

    disconnect_network(harbour.engine, "shop", "web")
    assert routes(lan, place) == ["eth1"]
    assert interfaces(lan, place) == {"eth1"}
    assert bridges(lan) == {bridge_of(harbour, "db")}
    assert harbour.status("shop").pid == pid
    assert harbour.record("shop").state.rewiring is None


def routes(lan: Lan, place: str) -> list[str]:
    """The interfaces of default routes."""
    found = lan.run(place, ["ip", "-o", "route", "show", "default"]).splitlines()
    return [line.split(" dev ")[1].split()[0] for line in found]


def interfaces(lan: Lan, place: str) -> set[str]:
    found = lan.run(place, ["ip", "-o", "link"]).splitlines()
    return {line.split()[1].partition("@")[0].rstrip(":") for line in found} - {"lo"}


def bridges(lan: Lan) -> set[str]:
    found = lan.run("host", ["ip", "-o", "link", "show", "type", "bridge"]).splitlines()
    return {line.split()[1].rstrip(":") for line in found}


def bridge_of(harbour: Harbour, name: str) -> str:
    network = find_network(harbour.engine.records.read(), name)
    assert network is not None
    return network.bridge or bridge_name(network.id)
