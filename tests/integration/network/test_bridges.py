# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The host's side: bridges and parents, what belongs to others, what a crash left, what the host has."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    CoracleError,
    HostNotReady,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import bridges, endpoints, links
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    IPVLAN,
    MACVLAN,
    Network,
    Pool,
    bridge_name,
)
from ansible_collections.coracle.engine.tests.integration.network.cells import (
    INSTANCE,
    Cells,
    endpoint,
    host_links,
    network,
    snapshot,
)
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, ADDRESSES6, Lan

FRONT, BACK = network("front"), network("back", pools=(Pool("10.98.0.0/24", "10.98.0.1"),))
NOTHING_OF_OURS = {"lo", "eth0"}
LAN_POOLS = (Pool("192.0.2.0/24", "192.0.2.1"), Pool("2001:db8:1::/64", "2001:db8:1::1"))

pytestmark = pytest.mark.usefixtures("host")


def kernel_has(kind: str, *options: str) -> bool:
    """Asked in a namespace that goes with the question."""
    question = f"ip link add br0 type bridge && ip link add link br0 name x type {' '.join((kind, *options))}"
    argv = ["unshare", "--net", "sh", "-c", question]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "Unknown device type" not in done.stderr and "not supported" not in done.stderr


def index(lan: Lan, place: str) -> int:
    return int(json.loads(lan.run(place, ["ip", "-j", "link", "show", "eth0"]))[0]["ifindex"])


def port(number: int, on: Network = FRONT) -> str:
    return endpoint(on, number).host_interface


# Bridges


def test_a_bridge_has_the_name_asked_for_and_always_the_same_mac(lan: Lan) -> None:
    named = network(bridge="br-front")
    macs = set()
    for _time in range(2):
        bridge = bridges.ensure_bridge(named, INSTANCE)
        assert host_links() == {*NOTHING_OF_OURS, "br-front"}
        macs.add(bridge.mac)
        bridges.remove_unused_bridge(named, INSTANCE)
        assert host_links() == NOTHING_OF_OURS
    assert len(macs) == 1


@pytest.mark.parametrize("kind", ["bridge", "veth"])
@pytest.mark.parametrize("alias", ["", "other:abc"])
def test_an_interface_of_somebody_else_is_left_alone(lan: Lan, cells: Cells, kind: str, alias: str) -> None:
    lan.run("host", ["ip", "link", "add", "br0", "type", kind])
    if alias:
        lan.run("host", ["ip", "link", "set", "br0", "alias", alias])
    before = host_links()
    with pytest.raises(Conflict, match="the host has another interface br0"):
        cells.connected(network(bridge="br0"), 2)
    assert host_links() == before
    bridges.remove_unused_bridge(network(bridge="br0"), INSTANCE)
    assert host_links() == before


@pytest.mark.parametrize("tagged", [True, False])
def test_what_a_crash_left_of_a_bridge_is_used(lan: Lan, tagged: bool) -> None:
    """Between its making, its tag and its name."""
    first_name = bridge_name(FRONT.id)
    lan.run("host", ["ip", "link", "add", first_name, "type", "bridge"])
    if tagged:
        lan.run("host", ["ip", "link", "set", first_name, "alias", f"{INSTANCE}:{FRONT.id}"])
    bridge = bridges.ensure_bridge(network(bridge="br-front"), INSTANCE)
    assert host_links() == {*NOTHING_OF_OURS, "br-front"}
    lan.run("host", ["ip", "link", "show", "br-front", "up"])
    assert bridge.kind == "bridge"
    bridges.remove_unused_bridge(network(bridge="br-front"), INSTANCE)
    assert host_links() == NOTHING_OF_OURS


def test_a_gateway_that_is_an_address_of_the_host_is_refused(cells: Cells) -> None:
    taken = network(pools=(Pool("192.0.2.0/24", ADDRESSES["host"]),))
    with pytest.raises(Conflict, match=r"the gateway 192\.0\.2\.10 of network front is an address of eth0"):
        cells.connected(taken, 2)
    assert host_links() == NOTHING_OF_OURS


def test_a_change_of_the_mtu_reaches_the_bridge() -> None:
    assert bridges.ensure_bridge(network(mtu=1400), INSTANCE).mtu == 1400
    assert bridges.ensure_bridge(network(mtu=1300), INSTANCE).mtu == 1300


def test_a_bridge_with_ports_stays(lan: Lan, cells: Cells) -> None:
    cells.connected(FRONT, 2)
    lan.run("host", ["ip", "link", "add", "mine", "type", "veth", "peer", "name", "yours"])
    lan.run("host", ["ip", "link", "set", "mine", "master", bridges.host_link(FRONT)])
    everything = host_links()
    bridges.remove_unused_bridge(FRONT, INSTANCE)
    assert host_links() == everything
    bridges.sweep_links(snapshot([FRONT], []))
    assert host_links() == everything - {port(2)}


# Sweeping


def test_sweeping_spares_what_is_needed_and_what_is_not_ours(lan: Lan, cells: Cells) -> None:
    cells.connected(FRONT, 2)
    gone = cells.connected(FRONT, 3)
    cells.connected(BACK, 4)
    lan.run("host", ["ip", "link", "add", "theirs", "type", "bridge"])
    lan.run("host", ["ip", "link", "set", "theirs", "alias", f"{INSTANCE}2:abc"])
    for _time in range(2):
        bridges.sweep_links(snapshot([FRONT, BACK], [endpoint(FRONT, 2)]))
        assert host_links() == {*NOTHING_OF_OURS, "theirs", bridges.host_link(FRONT), port(2)}
    assert "eth0" not in lan.run(gone, ["ip", "-br", "link"])
    bridges.sweep_links(snapshot([], []))
    assert host_links() == {*NOTHING_OF_OURS, "theirs"}


def test_sweeping_ends_what_a_container_no_longer_has(cells: Cells) -> None:
    """Killed while it disconnected a running container: the record is without it, the link is still there."""
    place = cells.connected(FRONT, 2)
    endpoints.connect(BACK, endpoint(BACK, 2, interface="eth1"), place, INSTANCE)
    bridges.sweep_links(snapshot([FRONT, BACK], [endpoint(FRONT, 2)]))
    assert host_links() == {*NOTHING_OF_OURS, bridges.host_link(FRONT), port(2)}
    assert list(endpoints.counters(place)) == ["eth0"]


# macvlan and ipvlan


@pytest.mark.parametrize("parent", ["eth0", ""])
@pytest.mark.parametrize("mode", ["bridge", ""])
def test_macvlan_is_a_machine_of_its_own_on_the_lan(lan: Lan, cells: Cells, parent: str, mode: str) -> None:
    """Without a parent: on the link of the default route."""
    direct = network("direct", MACVLAN, pools=LAN_POOLS, parent=parent, mode=mode)
    lan.run("host", ["ip", "link", "set", "eth0", "mtu", "1400"])
    place = cells.connected(direct, 50)
    lan.serve("neighbour", "tcp", "0.0.0.0", 80, "four")
    lan.serve("other", "tcp", "::", 80, "six")
    assert lan.probe(place, "tcp", ADDRESSES["neighbour"], 80, timeout=3) == "open:four"
    assert lan.probe(place, "tcp", ADDRESSES6["other"], 80, timeout=3) == "open:six"
    shown = lan.run(place, ["ip", "-d", "link", "show", "eth0"])
    assert "macvlan mode bridge" in shown
    assert "mtu 1400" in shown
    assert "02:42:00:00:00:32" in shown
    assert host_links() == NOTHING_OF_OURS
    before = index(lan, place)
    endpoints.connect(direct, endpoint(direct, 50), place, INSTANCE)
    assert index(lan, place) == before
    for _time in range(2):
        endpoints.disconnect(direct, endpoint(direct, 50), place)
        assert endpoints.counters(place) == {}


def test_macvlan_announces_a_new_holder_of_an_address(lan: Lan, cells: Cells) -> None:
    direct = network("direct", MACVLAN, pools=LAN_POOLS)
    for mac in ("02:42:00:00:00:01", "02:42:00:00:00:02"):
        place = cells.connected(direct, 50, mac=mac)
        lan.serve(place, "tcp", "0.0.0.0", 80, mac)
        assert lan.probe("neighbour", "tcp", "192.0.2.50", 80, timeout=0.9) == f"open:{mac}"
        endpoints.disconnect(direct, endpoint(direct, 50), place)


def test_what_stood_on_another_parent_is_made_anew(lan: Lan, cells: Cells) -> None:
    lan.run("host", ["ip", "link", "add", "mine", "type", "veth", "peer", "name", "yours"])
    place = cells.connected(network("direct", MACVLAN, pools=LAN_POOLS, parent="mine"), 50)
    moved = network("direct", MACVLAN, pools=LAN_POOLS, parent="eth0")
    endpoints.connect(moved, endpoint(moved, 50), place, INSTANCE)
    lan.serve("neighbour", "tcp", "0.0.0.0", 80, "four")
    assert lan.probe(place, "tcp", ADDRESSES["neighbour"], 80, timeout=3) == "open:four"


@pytest.mark.parametrize(
    ("prepare", "fields", "message"),
    [
        ("true", {"parent": "eth7"}, "network direct: the host has no interface eth7"),
        ("ip route flush default; ip -6 route flush default", {}, "the host has no default route"),
        (
            "ip link add br0 type bridge; ip link set eth0 master br0",
            {"parent": "eth0"},
            "eth0 is in use by a bridge, or by the other of macvlan and ipvlan",
        ),
    ],
)
def test_parents_that_cannot_be(
    lan: Lan, cells: Cells, prepare: str, fields: dict[str, t.Any], message: str
) -> None:
    lan.run("host", ["sh", "-c", prepare])
    with pytest.raises(CoracleError, match=message):
        cells.connected(network("direct", MACVLAN, pools=LAN_POOLS, **fields), 50)


def test_ipvlan_on_a_kernel_without_it(cells: Cells) -> None:
    if kernel_has("ipvlan"):
        pytest.skip("not applicable: this kernel has ipvlan")
    place = cells.new()
    direct = network("direct", IPVLAN, pools=LAN_POOLS)
    with pytest.raises(HostNotReady, match=r"this kernel has no ipvlan links \(load the module: modprobe"):
        endpoints.connect(direct, endpoint(direct, 50), place, INSTANCE)
    assert endpoints.counters(place) == {}


@pytest.mark.parametrize("mode", ["", "l2", "l3", "l3s"])
def test_ipvlan(lan: Lan, cells: Cells, mode: str) -> None:
    if not kernel_has("ipvlan"):
        pytest.skip("not applicable: this kernel has no ipvlan")
    direct = network("direct", IPVLAN, pools=(Pool("192.0.2.0/24"),), mode=mode)
    place = cells.connected(direct, 50)
    lan.serve("neighbour", "tcp", "0.0.0.0", 80, "four")
    lan.run("neighbour", ["ip", "route", "add", "192.0.2.50", "via", ADDRESSES["host"]])
    assert lan.probe(place, "tcp", ADDRESSES["neighbour"], 80, timeout=3) == "open:four"
    assert f"ipvlan  mode {mode or 'l2'}" in lan.run(place, ["ip", "-d", "link", "show", "eth0"])
    endpoints.connect(direct, endpoint(direct, 50), place, INSTANCE)
    endpoints.disconnect(direct, endpoint(direct, 50), place)
    assert endpoints.counters(place) == {}


def test_vlan_on_a_kernel_without_it(cells: Cells) -> None:
    if kernel_has("vlan", "id", "5"):
        pytest.skip("not applicable: this kernel has VLAN links")
    with pytest.raises(HostNotReady, match=r"this kernel has no VLAN links \(load the module: modprobe"):
        cells.connected(network("direct", MACVLAN, pools=LAN_POOLS, parent="eth0", vlan=5), 50)
    assert host_links() == NOTHING_OF_OURS


@pytest.mark.parametrize("of_the_host", [True, False])
def test_vlan(lan: Lan, cells: Cells, of_the_host: bool) -> None:
    if not kernel_has("vlan", "id", "5"):
        pytest.skip("not applicable: this kernel has no VLAN links")
    for place in ("neighbour", "host")[: 1 + of_the_host]:
        lan.run(place, ["ip", "link", "add", "link", "eth0", "name", "eth0.5", "type", "vlan", "id", "5"])
        lan.run(place, ["ip", "link", "set", "eth0.5", "up"])
    lan.run("neighbour", ["ip", "address", "add", "10.97.0.1/24", "dev", "eth0.5"])
    pools = (Pool("10.97.0.0/24", "10.97.0.1"),)
    tagged = network("tagged", MACVLAN, pools=pools, parent="eth0", vlan=5)
    place = cells.connected(tagged, 50)
    lan.serve("neighbour", "tcp", "10.97.0.1", 80, "four")
    assert lan.probe(place, "tcp", "10.97.0.1", 80, timeout=3) == "open:four"
    endpoints.connect(tagged, endpoint(tagged, 50), place, INSTANCE)
    bridges.sweep_links(snapshot([tagged], [endpoint(tagged, 50)]))
    assert host_links() == {*NOTHING_OF_OURS, "eth0.5" if of_the_host else bridge_name(tagged.id)}
    endpoints.disconnect(tagged, endpoint(tagged, 50), place)
    bridges.sweep_links(snapshot([tagged], []))
    assert host_links() == {*NOTHING_OF_OURS, *(["eth0.5"] if of_the_host else [])}


# What the host has


def test_the_view_of_the_host(lan: Lan) -> None:
    for route in ("10.0.0.0/8", "0.0.0.0/1", "fd05::/16"):
        lan.run("host", ["ip", "route", "add", route, "dev", "eth0"])
    view = links.host_view()
    assert set(view.links) == NOTHING_OF_OURS
    texts = {str(subnet) for subnet in view.subnets}
    assert {"192.0.2.0/24", "2001:db8:1::/64", "10.0.0.0/8", "fd05::/16", "127.0.0.0/8"} <= texts
    assert not {"0.0.0.0/0", "::/0", "0.0.0.0/1"} & texts
    assert all(isinstance(subnet, (ipaddress.IPv4Network, ipaddress.IPv6Network)) for subnet in view.subnets)


def test_a_host_without_pyroute2(monkeypatch: pytest.MonkeyPatch) -> None:
    links.load_messages.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(HostNotReady, match=r"has no module pyroute2 .*coracle\.engine\.host"):
        links.host_view()


def test_a_pyroute2_that_wants_to_be_imported_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts alone do not load: then all of it is."""
    parts, calls = links._import_messages, []

    def refuse_at_first() -> t.Any:
        calls.append("pyroute2" in sys.modules)
        if len(calls) == 1:
            raise ImportError("not like this")
        return parts()

    links.load_messages.cache_clear()
    monkeypatch.delitem(sys.modules, "pyroute2", raising=False)
    monkeypatch.setattr(links, "_import_messages", refuse_at_first)
    assert "lo" in links.host_view().links
    assert calls == [True, False]
    assert hasattr(sys.modules["pyroute2"], "IPRoute")


def test_only_the_parts_of_pyroute2_that_are_needed_are_imported(tmp_path: pathlib.Path) -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[1])
programs = []
sys.addaudithook(lambda event, what: programs.append(what) if event == "subprocess.Popen" else None)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.links import host_view
host_view()
assert not programs, programs
assert "asyncio" not in sys.modules and "sqlite3" not in sys.modules, sorted(sys.modules)
import pyroute2
assert pyroute2.IPRoute
"""
    root = pathlib.Path(__file__).resolve().parents[3] / ".collections"
    for python in (sys.executable, "/usr/bin/python3"):
        subprocess.run([python, "-I", "-B", "-c", code, str(root)], check=True, cwd=tmp_path)
