# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Places on bridges: what is connected works, what is damaged is repaired, what goes leaves nothing."""

from __future__ import annotations

import json
import os
import pathlib
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import bridges, endpoints
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import Pool, Route
from ansible_collections.coracle.engine.tests.integration.network.cells import (
    INSTANCE,
    Cells,
    endpoint,
    host_links,
    network,
)
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

FRONT = network()
BRIDGE_NAME = bridges.host_link(FRONT)
NOTHING_OF_OURS = {"lo", "eth0"}

pytestmark = pytest.mark.usefixtures("host")


def link(lan: Lan, place: str, name: str = "eth0") -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(lan.run(place, ["ip", "-d", "-j", "link", "show", name]))[0])


def addresses(lan: Lan, place: str, name: str = "eth0") -> list[str]:
    found = json.loads(lan.run(place, ["ip", "-j", "address", "show", name]))[0]["addr_info"]
    return [f"{address['local']}/{address['prefixlen']}" for address in found if address["scope"] == "global"]


def default_routes(lan: Lan, place: str) -> list[tuple[str, str]]:
    found = []
    for family in ("-4", "-6"):
        listed = json.loads(lan.run(place, ["ip", family, "-j", "route", "show", "default"]) or "[]")
        found += [(route["dev"], route.get("gateway", "")) for route in listed]
    return found


def is_open(lan: Lan, place: str, number: int, timeout: float = 3) -> bool:
    """Does the container of that number answer there, by both IP versions?"""
    probes = [(place, "tcp", f"10.99.0.{number}", 80), (place, "tcp", f"fd00:99::{number:x}", 80)]
    return lan.probe_all(probes, timeout) == ["open:four", "open:six"]


def serve(lan: Lan, place: str) -> None:
    lan.serve(place, "tcp", "0.0.0.0", 80, "four")
    lan.serve(place, "tcp", "::", 80, "six")


# What is connected works


def test_it_is_as_in_the_record(lan: Lan, cells: Cells) -> None:
    place = cells.connected(FRONT, 2)
    inside = link(lan, place)
    assert (inside["address"], inside["mtu"], inside["operstate"]) == ("02:42:00:00:00:02", 1500, "UP")
    assert addresses(lan, place) == ["10.99.0.2/24", "fd00:99::2/64"]
    assert default_routes(lan, place) == [("eth0", "10.99.0.1"), ("eth0", "fd00:99::1")]
    assert addresses(lan, "host", BRIDGE_NAME) == ["10.99.0.1/24", "fd00:99::1/64"]
    ours = endpoint(FRONT, 2)
    assert link(lan, "host", ours.host_interface)["ifalias"] == f"{INSTANCE}:{ours.container_id}"
    assert link(lan, "host", BRIDGE_NAME)["ifalias"] == f"{INSTANCE}:{FRONT.id}"


def test_containers_and_the_host_reach_each_other_at_once(lan: Lan, cells: Cells) -> None:
    """Without the second that a lost first packet would cost."""
    one = cells.connected(FRONT, 2)
    serve(lan, one)
    two = cells.connected(FRONT, 3)
    assert is_open(lan, two, 2, timeout=0.9)
    assert is_open(lan, "host", 2, timeout=0.9)


def test_with_forwarding_it_reaches_the_world_and_back(lan: Lan, cells: Cells) -> None:
    place = cells.connected(FRONT, 2)
    serve(lan, "other")
    lan.sysctl("host", "ipv4/ip_forward", "1")
    lan.run("router", ["ip", "route", "add", "10.99.0.0/24", "via", ADDRESSES["host"]])
    assert lan.probe(place, "tcp", ADDRESSES["other"], 80, timeout=3) == "open:four"


def test_a_new_holder_of_an_address_is_known_at_once(lan: Lan, cells: Cells) -> None:
    client = cells.connected(FRONT, 2)
    first = cells.connected(FRONT, 3)
    serve(lan, first)
    assert is_open(lan, client, 3)
    assert is_open(lan, "host", 3)
    endpoints.disconnect(FRONT, endpoint(FRONT, 3), first)
    second = cells.new()
    serve(lan, second)
    endpoints.connect(FRONT, endpoint(FRONT, 3, mac="02:42:00:00:00:33"), second, INSTANCE)
    assert is_open(lan, client, 3, timeout=0.9)
    assert is_open(lan, "host", 3, timeout=0.9)


def test_an_internal_network_has_no_way_out(lan: Lan, cells: Cells) -> None:
    lan.sysctl("host", "ipv4/ip_forward", "1")
    place = cells.connected(network(internal=True), 2)
    assert default_routes(lan, place) == []
    assert lan.sysctl("host", f"ipv4/conf/{BRIDGE_NAME}/forwarding") == "0"
    assert lan.sysctl("host", f"ipv6/conf/{BRIDGE_NAME}/forwarding") == "0"


def test_without_ipv6_there_is_none(lan: Lan, cells: Cells) -> None:
    place = cells.connected(network(pools=FRONT.pools[:1]), 2)
    for where, name in ((place, "eth0"), ("host", BRIDGE_NAME)):
        assert "inet6" not in lan.run(where, ["ip", "address", "show", name])


def test_routes_of_the_network(lan: Lan, cells: Cells) -> None:
    routes = (Route("10.1.0.0/16", "10.99.0.9"), Route("fd01::/64", "fd00:99::9", 5))
    place = cells.connected(network(routes=routes), 2)
    assert "10.1.0.0/16 via 10.99.0.9 dev eth0" in lan.run(place, ["ip", "route"])
    assert "fd01::/64 via fd00:99::9 dev eth0 proto static metric 5" in lan.run(place, ["ip", "-6", "route"])


@pytest.mark.parametrize(("asked", "expected"), [(0, 1400), (1300, 1300)])
def test_mtu(lan: Lan, cells: Cells, asked: int, expected: int) -> None:
    """That of the default route's link where none is given."""
    lan.run("host", ["ip", "link", "set", "eth0", "mtu", "1400"])
    place = cells.connected(network(mtu=asked), 2)
    port = endpoint(FRONT, 2).host_interface
    found = [link(lan, *where)["mtu"] for where in (("host", BRIDGE_NAME), ("host", port), (place, "eth0"))]
    assert found == [expected] * 3


def test_traffic_is_counted(lan: Lan, cells: Cells) -> None:
    place = cells.connected(FRONT, 2)
    before = endpoints.counters(place)["eth0"]
    lan.serve(place, "udp", "0.0.0.0", 53, "x" * 1000)
    lan.probe("host", "udp", "10.99.0.2", 53)
    after = endpoints.counters(place)
    assert list(after) == ["eth0"]
    assert after["eth0"].sent - before.sent > 1000
    assert after["eth0"].received > before.received


# Nobody tells the host where to go


def test_advertised_routes_are_not_believed(lan: Lan, cells: Cells) -> None:
    """CVE-2020-13401: a container that says it is a router."""
    place = cells.connected(FRONT, 2)
    victim = cells.connected(FRONT, 3)
    lan.run(place, ["python3", "-c", _ADVERTISE])
    time.sleep(0.2)
    for where in ("host", victim):
        assert "proto ra" not in lan.run(where, ["ip", "-6", "route"])
        assert "2001:db8:bad:" not in lan.run(where, ["ip", "-6", "address"])
    assert lan.sysctl("host", f"ipv6/conf/{endpoint(FRONT, 2).host_interface}/disable_ipv6") == "1"


_ADVERTISE = """
import socket, struct
prefix = socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
message += struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 3600, 0, prefix)
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex("eth0")
for _ in range(3):
    sock.sendto(message, ("ff02::1", 0, 0, index))
"""


def test_the_hosts_own_settings_stay(lan: Lan, cells: Cells) -> None:
    def settings() -> str:
        return lan.run("host", ["sysctl", "-a", "-r", r"net\.ipv[46]\.conf\.(all|default|eth0|lo)\."])

    before = settings()
    cells.connected(FRONT, 2)
    assert settings() == before


# Repairs

DAMAGE = {
    "nothing": ("host", "true"),
    "port out of the bridge": ("host", "ip link set {port} nomaster"),
    "port down": ("host", "ip link set {port} down"),
    "port gone": ("host", "ip link del {port}"),
    "port of somebody else": ("host", "ip link set {port} alias x"),
    "bridge gone": ("host", "ip link del {bridge}"),
    "bridge down": ("host", "ip link set {bridge} down"),
    "bridge without addresses": ("host", "ip address flush dev {bridge}"),
    "bridge without tag": ("host", "ip link set {bridge} alias ''"),
    "addresses gone": ("inside", "ip address flush dev eth0"),
    "interface down": ("inside", "ip link set eth0 down"),
    "another mac": ("inside", "ip link set eth0 address 02:00:00:00:00:01"),
    "another name": ("inside", "sh -c 'ip link set eth0 down; ip link set eth0 name x'"),
    "routes gone": ("inside", "ip route del default; ip -6 route del default"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_connecting_again_repairs(lan: Lan, cells: Cells, damage: str) -> None:
    place = cells.connected(FRONT, 2)
    serve(lan, place)
    where, command = DAMAGE[damage]
    command = command.format(port=endpoint(FRONT, 2).host_interface, bridge=BRIDGE_NAME)
    lan.run("host" if where == "host" else place, ["sh", "-c", command])
    endpoints.connect(FRONT, endpoint(FRONT, 2), place, INSTANCE, default_route=True)
    assert is_open(lan, "host", 2, timeout=3)
    assert default_routes(lan, place) == [("eth0", "10.99.0.1"), ("eth0", "fd00:99::1")]
    assert link(lan, "host", BRIDGE_NAME)["ifalias"] == f"{INSTANCE}:{FRONT.id}"
    assert host_links() == {*NOTHING_OF_OURS, BRIDGE_NAME, endpoint(FRONT, 2).host_interface}


def test_connecting_again_touches_nothing_that_works(lan: Lan, cells: Cells) -> None:
    place = cells.connected(FRONT, 2)
    before = [link(lan, place)["ifindex"], link(lan, "host", BRIDGE_NAME)["ifindex"]]
    endpoints.connect(FRONT, endpoint(FRONT, 2), place, INSTANCE, default_route=True)
    assert [link(lan, place)["ifindex"], link(lan, "host", BRIDGE_NAME)["ifindex"]] == before


def test_a_failure_takes_back_what_was_made(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_to_furnish(monkeypatch)
    with pytest.raises(
        CoracleError, match="connect eth0 to network front: add the route: Input/output error"
    ):
        cells.connected(FRONT, 2)
    assert host_links() == NOTHING_OF_OURS


def test_a_failure_leaves_what_was_there_before(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    place = cells.connected(FRONT, 2)
    before = host_links()
    _fail_to_furnish(monkeypatch)
    with pytest.raises(CoracleError):
        endpoints.connect(FRONT, endpoint(FRONT, 2), place, INSTANCE)
    assert host_links() == before


def _fail_to_furnish(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: t.Any) -> None:
        raise OSError(5, "add the route: Input/output error")

    monkeypatch.setattr(endpoints, "_furnish", fail)


def test_an_interface_of_that_name_is_in_the_way(lan: Lan, cells: Cells) -> None:
    place = cells.new()
    lan.run(place, ["ip", "link", "add", "eth0", "type", "bridge"])
    with pytest.raises(Conflict, match="connect eth0 to network front: the container has an interface eth0"):
        endpoints.connect(FRONT, endpoint(FRONT, 2), place, INSTANCE)
    assert link(lan, place)["linkinfo"]["info_kind"] == "bridge"
    assert host_links() == NOTHING_OF_OURS


def test_the_container_has_to_be_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CoracleError, match="nowhere: No such file"):
        endpoints.connect(FRONT, endpoint(FRONT, 2), str(tmp_path / "nowhere"), INSTANCE)
    assert host_links() == NOTHING_OF_OURS


# Disconnecting


def test_disconnecting_leaves_nothing(cells: Cells) -> None:
    place = cells.connected(FRONT, 2)
    for _time in range(2):
        endpoints.disconnect(FRONT, endpoint(FRONT, 2), place)
        bridges.remove_unused_bridge(FRONT, INSTANCE)
        assert host_links() == NOTHING_OF_OURS


def test_the_port_goes_when_the_container_has_gone_before(cells: Cells) -> None:
    place = cells.connected(FRONT, 2)
    cells.close()
    assert not os.path.exists(place)
    endpoints.disconnect(FRONT, endpoint(FRONT, 2), place)
    bridges.remove_unused_bridge(FRONT, INSTANCE)
    assert host_links() == NOTHING_OF_OURS


def test_it_starts_again_at_once(lan: Lan, cells: Cells) -> None:
    """The kernel takes its time to end a namespace: the port of the last run may still be there."""
    for _time in range(5):
        place = cells.connected(FRONT, 2)
        cells.close()
    serve(lan, cells.connected(FRONT, 2))
    assert is_open(lan, "host", 2)
    assert not os.path.exists(place)


# Changes of a running container


def test_routes_change_live(lan: Lan, cells: Cells) -> None:
    kept, gone, other = Route("10.2.0.0/16", "10.99.0.9"), Route("fd01::/64", "fd00:99::9"), "10.99.0.8"
    old = (Route("10.1.0.0/16", "10.99.0.9"), kept, gone)
    new = (Route("10.1.0.0/16", other, 7), kept, Route("fd02::/64", "fd00:99::9"))
    place = cells.connected(network(routes=old), 2)
    lan.run(place, ["ip", "route", "add", "10.3.0.0/16", "via", "10.99.0.9"])
    for _time in range(2):
        endpoints.change_routes(network(routes=new), endpoint(FRONT, 2), place)
        listed = lan.run(place, ["ip", "route"]) + lan.run(place, ["ip", "-6", "route"])
        found = {" ".join(line.split()[:3]) for line in listed.splitlines() if " via " in line}
        assert found == {
            "default via 10.99.0.1",
            "default via fd00:99::1",
            "10.1.0.0/16 via 10.99.0.8",
            "10.2.0.0/16 via 10.99.0.9",
            "10.3.0.0/16 via 10.99.0.9",
            "fd02::/64 via fd00:99::9",
        }


def test_the_default_route_follows_the_networks(lan: Lan, cells: Cells) -> None:
    """IPv4 by the network of the highest priority, IPv6 by the only one that has it."""
    back = network("back", pools=(Pool("10.98.0.0/24", "10.98.0.1"),))
    first, second = endpoint(FRONT, 2), endpoint(back, 2, interface="eth1", priority=1)
    place = cells.new()
    endpoints.connect(FRONT, first, place, INSTANCE)
    endpoints.connect(back, second, place, INSTANCE)
    both, alone = [(FRONT, first), (back, second)], [(FRONT, first)]
    expected_both = [("eth1", "10.98.0.1"), ("eth0", "fd00:99::1")]
    expected_alone = [("eth0", "10.99.0.1"), ("eth0", "fd00:99::1")]
    for places, expected in ((alone, expected_alone), (both, expected_both), (both, expected_both)):
        endpoints.set_default_route(places, place)
        assert default_routes(lan, place) == expected
    endpoints.disconnect(back, second, place)
    endpoints.set_default_route(alone, place)
    assert default_routes(lan, place) == expected_alone
    endpoints.set_default_route([(network(internal=True), first)], place)
    assert default_routes(lan, place) == []
