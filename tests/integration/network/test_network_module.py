# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The modules network and network_info, as users run them, with containers that run on real bridges."""

from __future__ import annotations

import os
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import living_processes
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

IMAGE = "sha256:" + "1" * 64
SLEEP: dict[str, t.Any] = {"command": ["sleep", "1000"], "stop_timeout": 0}

MACVLAN: dict[str, t.Any] = {"driver": "macvlan", "driver_options": {"parent": "eth0"}}


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


def netns(target: Target, inside: Inside) -> str:
    return os.path.join(target.paths.netns, inside.container_id)


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


def test_check_mode_makes_nothing(target: Target) -> None:
    before = sorted(os.listdir(target.paths.root))
    planned, looked = target.run(target.network(check=True), target.network_info())
    assert planned["network"]["IPAM"]["Config"][0]["Gateway"]
    assert looked["networks"] == []
    assert sorted(os.listdir(target.paths.root)) == before


def test_what_changes_in_place(target: Target, lan: Lan) -> None:
    """Labels, names, isolation and routes: same bridge, same interfaces, same processes."""
    subnet: dict[str, t.Any] = {"ipam_config": [{"subnet": "10.90.1.0/24"}]}
    target.run(target.network(**subnet), target.network(name="other"))
    target.make(name="web", network_mode="backend", **SLEEP)
    target.make(name="far", network_mode="other", **SLEEP)
    web, far = look(target, lan, "web"), look(target, lan, "far")
    lan.serve(netns(target, web), "tcp", "0.0.0.0", 7000, "web")
    links = lan.run("host", ["ip", "-o", "link"])
    address = web.addresses[0].partition("/")[0]
    assert lan.probe(netns(target, far), "tcp", address, 7000) == "filtered"

    changes: list[dict[str, t.Any]] = [
        {"labels": {"a": "b"}},
        {"dns": False},
        {"dns_servers": ["192.0.2.53"]},
        {"routes": [{"destination": "203.0.113.0/24", "gateway": "10.90.1.77", "metric": 7}]},
        {"ipam_config": [{"subnet": "10.90.1.0/24", "iprange": "10.90.1.128/25"}]},
        {"driver_options": {"isolate": False}},
    ]
    for change in changes:
        _planned, done = check_do_again(target, **{**subnet, **change})
        assert {difference["how"] for difference in done["differences"]} == {"live"}, done["differences"]
        now = look(target, lan, "web")
        assert now._replace(routes=()) == web._replace(routes=())
        added = [line for line in now.routes if line not in web.routes]
        expected = ["203.0.113.0/24 via 10.90.1.77 proto static metric 7"] if "routes" in change else []
        assert [line.partition(" dev")[0] for line in added] == [
            line.partition(" proto")[0] for line in expected
        ]
        assert all("metric 7" in line for line in added)
    target.run(target.network(name="other", driver_options={"isolate": "no"}))
    assert lan.probe(netns(target, far), "tcp", address, 7000) == "open:web"
    target.run(target.network(**subnet))
    assert lan.probe(netns(target, far), "tcp", address, 7000) == "filtered"
    assert look(target, lan, "web") == web
    assert lan.run("host", ["ip", "-o", "link"]) == links


def test_a_new_bridge_under_running_containers(target: Target, lan: Lan) -> None:
    """Addresses, MAC, aliases, ids and processes stay; what is asked of the bridge is there."""
    target.run(target.network(ipam_config=[{"subnet": "10.90.1.0/24"}]))
    fixed = {"ipv4_address": "10.90.1.99", "mac_address": "02:00:00:00:00:99", "aliases": ["shop"]}
    target.make(name="web", networks=[{"name": "backend", **fixed}], **SLEEP)
    target.make(name="db", network_mode="backend", **SLEEP)
    web, db = look(target, lan, "web"), look(target, lan, "db")
    assert (web.addresses, web.mac) == (("10.90.1.99/24",), "02:00:00:00:00:99")
    lan.serve(netns(target, web), "tcp", "0.0.0.0", 7000, "web")

    changes: list[dict[str, t.Any]] = [
        {"ipam_config": [{"subnet": "10.90.1.0/24"}], "driver_options": {"mtu": 1400, "bridge": "br-shop"}},
        {"ipam_config": [{"subnet": "10.90.1.0/24", "gateway": "10.90.1.254"}]},
        {"ipam_config": [{"subnet": "10.90.0.0/16"}]},
        {"ipam_config": [{"subnet": "10.90.0.0/16"}, {"subnet": "fd00:90::/64"}]},
        {"ipam_config": [{"subnet": "10.90.0.0/16"}], "internal": True},
    ]
    for change in changes:
        _planned, done = check_do_again(target, **change)
        assert done["actions"][0].startswith("replace network backend: ")
        assert len(done["actions"]) == 1
        assert "warnings" not in done
        now = look(target, lan, "web")
        assert (now.pid, now.container_id, now.mac) == (web.pid, web.container_id, web.mac)
        subnet = change["ipam_config"][0]["subnet"]
        assert now.addresses[0] == "10.90.1.99/" + subnet.partition("/")[2]
        assert len(now.addresses) == len(change["ipam_config"])
        assert now.mtu == str(change.get("driver_options", {}).get("mtu", 1500))
        gateway = done["network"]["IPAM"]["Config"][0]["Gateway"]
        assert (f"default via {gateway}" in " ".join(now.routes)) is not change.get("internal", False)
        assert bridges(lan) == [done["network"]["Interface"]]
        containers = {each["Name"]: each for each in done["network"]["Containers"].values()}
        assert containers["web"]["IPv4Address"] == now.addresses[0]
        assert look(target, lan, "db").pid == db.pid
        assert lan.probe(netns(target, db), "tcp", "10.90.1.99", 7000) == "open:web"
    assert target.make(name="web", networks=[{"name": "backend", **fixed}], **SLEEP)["changed"] is False


def test_another_subnet_gives_other_addresses(target: Target, lan: Lan) -> None:
    target.run(target.network(ipam_config=[{"subnet": "10.90.1.0/24"}]))
    fixed = {"name": "backend", "ipv4_address": "10.90.1.99"}
    target.make(name="web", networks=[fixed], **SLEEP)
    target.make(name="db", network_mode="backend", **SLEEP)
    web = look(target, lan, "web")
    _planned, done = check_do_again(target, ipam_config=[{"subnet": "10.90.2.0/24"}])
    now = look(target, lan, "web")
    assert done["warnings"] == [
        "container web has asked for 10.90.1.99, which network backend has no more:"
        f" it has {now.addresses[0].partition('/')[0]} now"
    ]
    assert (now.pid, now.mac) == (web.pid, web.mac)
    addresses = {now.addresses[0], look(target, lan, "db").addresses[0]}
    assert addresses == {"10.90.2.2/24", "10.90.2.3/24"}
    target.make(name="web", restart=True, networks=[fixed], **SLEEP)
    assert look(target, lan, "web").pid != web.pid
    assert look(target, lan, "web").addresses == now.addresses, "it is on the network after a restart, too"


def test_another_driver_and_back(target: Target, lan: Lan) -> None:
    target.run(target.network(ipam_config=[{"subnet": "192.0.2.0/24", "gateway": "192.0.2.1"}], **MACVLAN))
    target.make(name="web", networks=[{"name": "backend", "ipv4_address": "192.0.2.99"}], **SLEEP)
    web = look(target, lan, "web")
    lan.serve(netns(target, web), "tcp", "0.0.0.0", 7000, "web")
    assert lan.probe("neighbour", "tcp", "192.0.2.99", 7000) == "open:web"
    assert bridges(lan) == []

    _planned, done = check_do_again(target, ipam_config=[{"subnet": "10.90.0.0/16"}])
    assert done["differences"][0]["field"] == "driver"
    assert bridges(lan) == [done["network"]["Interface"]]
    now = look(target, lan, "web")
    assert (now.pid, now.mac, now.addresses) == (web.pid, web.mac, ("10.90.0.2/16",))

    _planned, done = check_do_again(target, ipam_config=[{"subnet": "192.0.2.0/24"}], **MACVLAN)
    now = look(target, lan, "web")
    assert (now.pid, now.mac, now.addresses) == (web.pid, web.mac, ("192.0.2.99/24",)), (
        "what it has asked for"
    )
    assert lan.probe("neighbour", "tcp", "192.0.2.99", 7000) == "open:web"
    assert bridges(lan) == []


def test_ipvlan_has_no_mac_of_its_own(target: Target, lan: Lan) -> None:
    with lan.inside("neighbour"):
        probe = ["ip", "link", "add", "link", "eth0", "name", "probe0", "type", "ipvlan"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("not applicable: this kernel has no ipvlan")
    target.run(target.network())
    target.make(name="web", network_mode="backend", **SLEEP)
    web = look(target, lan, "web")
    ipvlan = {**MACVLAN, "driver": "ipvlan", "ipam_config": [{"subnet": "192.0.2.0/24"}]}
    _planned, done = check_do_again(target, **ipvlan)
    now = look(target, lan, "web")
    [container] = done["network"]["Containers"].values()
    assert (now.addresses, container["MacAddress"]) == (("192.0.2.2/24",), "")
    check_do_again(target)
    assert look(target, lan, "web") == web


def test_what_fails_changes_nothing(target: Target, lan: Lan) -> None:
    target.run(target.network())
    target.make(name="web", network_mode="backend", **SLEEP)
    web = look(target, lan, "web")
    failed, looked, again = target.run(
        target.network(driver="macvlan", driver_options={"parent": "nothere"}),
        target.network_info(name="backend"),
        target.network(),
    )
    assert "replace network backend" in failed["msg"]
    assert "nothere" in failed["msg"]
    assert looked["network"]["Driver"] == "bridge"
    assert again["changed"] is False
    assert look(target, lan, "web") == web


def test_who_is_connected(target: Target, lan: Lan) -> None:
    target.run(target.network(name="first"))
    for name in ("web", "db", "old"):
        target.make(name=name, network_mode="first", **SLEEP)
    pids = {name: look(target, lan, name).pid for name in ("web", "db", "old")}
    _planned, made = check_do_again(target, connected=["web", "old"])
    assert made["actions"][1:] == [
        "connect container web to network backend",
        "connect container old to network backend",
    ]
    assert [container["Name"] for container in made["network"]["Containers"].values()] == ["old", "web"]
    assert look(target, lan, "web", "eth1").addresses
    _planned, added = check_do_again(target, connected="db", appends=True)
    assert added["differences"] == [
        {
            "field": "connected",
            "before": ["old", "web"],
            "after": ["db", "old", "web"],
            "reason": "connected: db is new",
            "how": "live",
        }
    ]
    _planned, exact = check_do_again(target, containers=["db", "web"])
    assert exact["actions"] == ["disconnect container old from network backend"]
    _planned, emptied = check_do_again(target, connected=[])
    assert emptied["network"]["Containers"] == {}
    check_do_again(target, connected=["web"])
    _planned, gone = check_do_again(target, state="absent", force=True)
    assert gone["actions"] == ["disconnect container web from network backend", "remove network backend"]
    assert {name: look(target, lan, name).pid for name in pids} == pids


def test_links_made_anew_on_demand(target: Target, lan: Lan) -> None:
    target.run(target.network())
    target.make(name="web", network_mode="backend", **SLEEP)
    web = look(target, lan, "web")
    lan.run("host", ["ip", "link", "delete", bridges(lan)[0]])
    planned, done = target.run(target.network(force=True, check=True), target.network(force=True))
    assert planned["actions"] == done["actions"] == ["replace network backend: force is true"]
    assert look(target, lan, "web") == web
    assert len(bridges(lan)) == 1


def test_info_tells_what_is_missing(target: Target) -> None:
    made, _b, one, some, none, bad = target.run(
        target.network(name="a"),
        target.network(name="b"),
        target.network_info(name="a"),
        target.network_info(name=["b", "x", "a", "b"]),
        target.network_info(name="x"),
        target.network_info(name="../x"),
    )
    assert one["network"] == made["network"]
    assert (one["exists"], one["missing"]) == (True, [])
    assert [network["Name"] for network in some["networks"]] == ["b", "a"]
    assert (some["exists"], some["network"], some["missing"]) == (False, None, ["x"])
    assert (none["networks"], none["missing"]) == ([], ["x"])
    assert "is not a name for a network" in bad["msg"]
    [found] = target.run(target.network_info(name=[made["network"]["Id"], "a"]))
    assert [network["Name"] for network in found["networks"]] == ["a"]


BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"name": "host"}, "it is a `network_mode` of containers"),
    ({"driver": "overlay"}, "value of driver must be one of: bridge, macvlan, ipvlan"),
    ({"driver_options": {"size": "1"}}, "network backend: driver_options: the driver bridge has no option"),
    ({"ipam_config": [{"gateway": "10.0.0.1"}]}, "missing required arguments: subnet found in ipam_config"),
    ({"ipam_config": [{"subnet": "10.0.0.0"}]}, "network backend: ipam_config: subnet: '10.0.0.0' is not a"),
    ({"ipam_config": [{"subnet": "192.0.2.0/24"}]}, "the subnet 192.0.2.0/24 would hide 192.0.2.0/24"),
    ({"routes": [{"destination": "10.0.0.0/8", "gateway": "10.1.1.1"}]}, "is not on the network"),
    ({"connected": ["nobody"]}, "connected: there is no container nobody"),
    ({"ingress": True}, "network backend: ingress: True cannot be had here: there is no swarm"),
    ({"config_from": "x"}, "network backend: config_from: 'x' cannot be had here"),
]


def test_bad_input(target: Target) -> None:
    results = target.run(*(target.network(**options) for options, _message in BAD))
    for result, (_options, message) in zip(results, BAD):
        assert message in result["msg"]
    [looked] = target.run(target.network_info())
    assert looked["networks"] == []
