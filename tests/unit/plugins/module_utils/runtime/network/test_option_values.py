# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import Pool, Route
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.option_values import (
    DriverOptions,
    check_mtu,
    check_network_name,
    parse_dns_servers,
    parse_driver_options,
    parse_ipam_config,
    parse_routes,
)


@pytest.mark.parametrize("name", ["backend", "a", "9", "A_b.c-d", "x" * 128, "hosts", "bridge0"])
def test_names(name: str) -> None:
    assert check_network_name(name) == name


NO_NAMES = (
    "", ".a", "-a", "_a", "a/b", "a b", "ä", "x" * 129, "a\n", 'x" ; flush ruleset ; #', "../x", "a%int",
    "bridge", "container", "default", "host", "none", "ns",
)  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a name for a network"):
        check_network_name(name)


# Driver options


@pytest.mark.parametrize(
    ("driver", "value", "options"),
    [
        ("bridge", {}, DriverOptions()),
        ("bridge", {"mtu": 1400}, DriverOptions(mtu=1400)),
        ("bridge", {"com.docker.network.driver.mtu": "1400"}, DriverOptions(mtu=1400)),
        ("bridge", {"mtu": "1400", "com.docker.network.driver.mtu": 1400}, DriverOptions(mtu=1400)),
        ("bridge", {"mtu": 0}, DriverOptions()),
        ("bridge", {"mtu": None}, DriverOptions()),
        ("bridge", {"isolate": False}, DriverOptions(isolated=False)),
        ("bridge", {"isolate": "strict"}, DriverOptions()),
        ("bridge", {"bridge": "br-web"}, DriverOptions(bridge="br-web")),
        ("bridge", {"com.docker.network.bridge.name": "br-web"}, DriverOptions(bridge="br-web")),
        ("bridge", {"bridge_name": "br-web", "bridge": "br-web"}, DriverOptions(bridge="br-web")),
        ("bridge", {"com.docker.network.bridge.enable_ip_masquerade": True}, DriverOptions()),
        ("bridge", {"com.docker.network.bridge.enable_icc": "true"}, DriverOptions()),
        ("macvlan", {"parent": "eth0"}, DriverOptions(parent="eth0", mode="bridge")),
        ("macvlan", {"parent": "eth0", "mode": "vepa"}, DriverOptions(parent="eth0", mode="vepa")),
        ("macvlan", {"parent": "eth0", "macvlan_mode": "VEPA"}, DriverOptions(parent="eth0", mode="vepa")),
        ("macvlan", {"parent": "eth0.50"}, DriverOptions(parent="eth0", vlan=50, mode="bridge")),
        ("macvlan", {"parent": "eth0", "vlan": 50}, DriverOptions(parent="eth0", vlan=50, mode="bridge")),
        (
            "macvlan",
            {"parent": "eth0.50", "vlan": "50"},
            DriverOptions(parent="eth0", vlan=50, mode="bridge"),
        ),
        ("macvlan", {"parent": "eth0.5000"}, DriverOptions(parent="eth0.5000", mode="bridge")),
        ("ipvlan", {"parent": "eth0"}, DriverOptions(parent="eth0", mode="l2")),
        ("ipvlan", {"parent": "eth0", "ipvlan_mode": "l3s"}, DriverOptions(parent="eth0", mode="l3s")),
        ("ipvlan", {"parent": "eth0", "ipvlan_flag": "bridge"}, DriverOptions(parent="eth0", mode="l2")),
    ],
)
def test_driver_options(driver: str, value: dict[str, t.Any], options: DriverOptions) -> None:
    assert parse_driver_options(driver, value) == options


@pytest.mark.parametrize(
    ("driver", "value", "problem"),
    [
        ("bridge", {"size": 1}, "the driver bridge has no option 'size' (it has bridge, isolate, mtu)"),
        ("bridge", {"parent": "eth0"}, "the driver bridge has no option 'parent'"),
        ("bridge", {"vlan": 5}, "the driver bridge has no option 'vlan'"),
        ("macvlan", {"isolate": True}, "the driver macvlan has no option 'isolate'"),
        ("bridge", {"mtu": 67}, "mtu is not a number from 68 to 65535: '67'"),
        ("bridge", {"mtu": "1e3"}, "mtu is not a number"),
        ("bridge", {"mtu": [1400]}, "driver_options: mtu is not a text on one line"),
        ("bridge", {"mtu": 1400, "com.docker.network.driver.mtu": 1500}, "mtu is given twice"),
        ("bridge", {"isolate": "maybe"}, "isolate is neither true nor false"),
        ("bridge", {"bridge": "a/b"}, "bridge is not the name of an interface: 'a/b'"),
        ("bridge", {"bridge": "all"}, "bridge is not the name of an interface"),
        ("bridge", {"bridge": "x" * 16}, "at most 15 letters"),
        ("bridge", {"com.docker.network.bridge.enable_icc": False}, "is always true here, not 'False'"),
        ("bridge", {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}, "default_host_ip"),
        ("macvlan", {}, "the driver macvlan needs a parent"),
        ("macvlan", {"parent": "eth0", "mode": "l3"}, "macvlan has no mode 'l3'"),
        ("ipvlan", {"parent": "eth0", "mode": "bridge"}, "ipvlan has no mode 'bridge'"),
        ("ipvlan", {"parent": "eth0", "vlan": 4095}, "vlan is not a number from 0 to 4094"),
        ("macvlan", {"parent": "eth0.50", "vlan": 51}, "parent eth0.50 is of VLAN 50, vlan is 51"),
    ],
)
def test_driver_options_that_are_not_understood(driver: str, value: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_driver_options(driver, value)
    assert problem in str(raised.value)


def test_ipv6_needs_its_mtu() -> None:
    for mtu, ipv6 in ((0, True), (1280, True), (576, False)):
        check_mtu(mtu, ipv6)
    with pytest.raises(InvalidInput, match="with mtu 1279 there is no IPv6"):
        check_mtu(1279, True)


# Subnets


@pytest.mark.parametrize(
    ("entry", "pool"),
    [
        ({"subnet": "192.0.2.0/24"}, Pool("192.0.2.0/24", "192.0.2.1")),
        ({"subnet": " 192.0.2.77/24 "}, Pool("192.0.2.0/24", "192.0.2.1")),
        ({"subnet": "192.0.2.0/255.255.255.0"}, Pool("192.0.2.0/24", "192.0.2.1")),
        ({"subnet": "192.0.2.0/24", "gateway": "192.0.2.254"}, Pool("192.0.2.0/24", "192.0.2.254")),
        ({"subnet": "192.0.2.0/24", "gateway": None, "iprange": ""}, Pool("192.0.2.0/24", "192.0.2.1")),
        ({"subnet": "192.0.2.0/24", "iprange": "192.0.2.0/24"}, Pool("192.0.2.0/24", "192.0.2.1")),
        (
            {"subnet": "192.0.2.0/24", "iprange": "192.0.2.130/25"},
            Pool("192.0.2.0/24", "192.0.2.1", "192.0.2.128/25"),
        ),
        ({"subnet": "FD00:0:0:0::/64"}, Pool("fd00::/64", "fd00::1")),
        ({"subnet": "fd00::/64", "gateway": "FD00::00fE"}, Pool("fd00::/64", "fd00::fe")),
        ({"subnet": "192.0.2.0/31"}, Pool("192.0.2.0/31", "192.0.2.0")),
        (
            {"subnet": "192.0.2.0/24", "aux_addresses": {"b": "192.0.2.5", "a": "192.0.2.6"}},
            Pool("192.0.2.0/24", "192.0.2.1", "", {"a": "192.0.2.6", "b": "192.0.2.5"}),
        ),
    ],
)
def test_subnets(entry: dict[str, t.Any], pool: Pool) -> None:
    assert parse_ipam_config([entry]) == (pool,)


def test_several_subnets_keep_their_order() -> None:
    entries = [{"subnet": "fd00::/64"}, {"subnet": "198.51.100.0/24"}, {"subnet": "192.0.2.0/24"}]
    assert [pool.subnet for pool in parse_ipam_config(entries)] == [entry["subnet"] for entry in entries]


def test_no_gateway_where_there_can_be_none() -> None:
    assert parse_ipam_config([{"subnet": "192.0.2.0/24"}], has_gateway=False) == (Pool("192.0.2.0/24"),)
    with pytest.raises(InvalidInput, match="no gateway in the modes l3 and l3s"):
        parse_ipam_config([{"subnet": "192.0.2.0/24", "gateway": "192.0.2.1"}], has_gateway=False)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"subnet": "192.0.2.0"}, "subnet: '192.0.2.0' is not a subnet (write it like 10.0.5.0/24"),
        ({"subnet": ""}, "subnet: '' is not a subnet"),
        ({"subnet": "192.0.2.0/33"}, "is not a subnet"),
        ({"subnet": "fe80::%eth0/64"}, "is not a subnet"),
        ({"subnet": "fe80::/64"}, "containers cannot have addresses in fe80::/64"),
        ({"subnet": "127.0.0.0/24"}, "containers cannot have addresses in 127.0.0.0/24"),
        ({"subnet": "224.0.0.0/24"}, "containers cannot have addresses"),
        ({"subnet": "0.0.0.0/0"}, "containers cannot have addresses"),
        ({"subnet": "255.255.255.0/24"}, "containers cannot have addresses"),
        ({"subnet": "192.0.2.1/32"}, "192.0.2.1/32 has no room for a container"),
        ({"subnet": "192.0.2.0/24", "gateway": "192.0.3.1"}, "gateway: 192.0.3.1 is not in the subnet"),
        ({"subnet": "192.0.2.0/24", "gateway": "192.0.2.0"}, "nobody can have 192.0.2.0"),
        ({"subnet": "192.0.2.0/24", "gateway": "192.0.2.255"}, "nobody can have 192.0.2.255"),
        ({"subnet": "192.0.2.0/24", "gateway": "first"}, "gateway: 'first' is not an address"),
        ({"subnet": "192.0.2.0/24", "iprange": "192.0.0.0/16"}, "iprange 192.0.0.0/16 is not in the subnet"),
        ({"subnet": "192.0.2.0/24", "iprange": "fd00::/64"}, "is not in the subnet"),
        ({"subnet": "192.0.2.0/24", "aux_addresses": {"a": "192.0.3.5"}}, "aux_addresses: 192.0.3.5 is not"),
    ],
)
def test_subnets_that_cannot_be(entry: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_ipam_config([entry])
    assert problem in str(raised.value)


def test_subnets_that_overlap() -> None:
    with pytest.raises(InvalidInput, match=r"192.0.2.128/25 and 192.0.2.0/24 overlap"):
        parse_ipam_config([{"subnet": "192.0.2.0/24"}, {"subnet": "fd00::/64"}, {"subnet": "192.0.2.128/25"}])


# Names and routes


def test_dns_servers() -> None:
    assert parse_dns_servers(["2001:DB8::1", "192.0.2.53", "2001:db8::1"]) == ("2001:db8::1", "192.0.2.53")
    with pytest.raises(InvalidInput, match="dns_servers: 'one' is not an address"):
        parse_dns_servers(["one"])


def test_routes() -> None:
    written = [
        {"destination": "203.0.113.9/24", "gateway": "192.0.2.9", "metric": None},
        {"destination": "198.51.100.0/24", "gateway": "192.0.2.9", "metric": 10},
        {"destination": "203.0.113.0/24", "gateway": "192.0.2.9", "metric": 0},
    ]
    routes = (Route("198.51.100.0/24", "192.0.2.9", 10), Route("203.0.113.0/24", "192.0.2.9"))
    assert parse_routes(written) == parse_routes(written[::-1]) == routes


@pytest.mark.parametrize(
    ("routes", "problem"),
    [
        ([{"destination": "10.0.0.0/8", "gateway": "fd00::1"}], "cannot be reached through fd00::1"),
        ([{"destination": "10.0.0.0", "gateway": "192.0.2.1"}], "routes: destination: '10.0.0.0' is not"),
        ([{"destination": "10.0.0.0/8", "gateway": ""}], "routes: gateway: '' is not an address"),
        ([{"destination": "10.0.0.0/8", "gateway": "192.0.2.1", "metric": -1}], "metric -1 is not between"),
        (
            [
                {"destination": "10.0.0.0/8", "gateway": "192.0.2.1"},
                {"destination": "10.0.0.0/8", "gateway": "192.0.2.2"},
            ],
            "10.0.0.0/8 has two gateways with the same metric",
        ),
    ],
)
def test_routes_that_lead_nowhere(routes: list[dict[str, t.Any]], problem: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_routes(routes)
    assert problem in str(raised.value)
