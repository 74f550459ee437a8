# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import network_values as values
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.network_values import (
    INTERFACE_NAME,
    parse_networks,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

GOOD: list[tuple[t.Callable[[t.Any, str], t.Any], list[t.Any], t.Any]] = [
    (values.parse_network_mode, ["bridge", "default", "coracle"], "bridge"),
    (values.parse_network_mode, ["host"], "host"),
    (values.parse_network_mode, ["none"], "none"),
    (values.parse_network_mode, ["container:web.1"], "container:web.1"),
    (values.parse_network_mode, ["ns:/run//netns/x/"], "ns:/run/netns/x"),
    (values.parse_network_mode, ["my-net_2"], "my-net_2"),
    (
        values.parse_mac_address,
        ["02:42:AC:11:00:02", "02-42-ac-11-00-02", "0242.ac11.0002", "0242AC110002"],
        "02:42:ac:11:00:02",
    ),
    (values.parse_domainname, ["example.com", " example.com. "], "example.com"),
    (values.parse_domainname, ["", "."], None),
    (values.parse_dns_servers, [["2001:0db8::1", "192.0.2.1", "192.0.2.1"]], ["2001:db8::1", "192.0.2.1"]),
    (values.parse_dns_servers, [["fe80::1%eth0"]], ["fe80::1%eth0"]),
    (values.parse_dns_search_domains, [["Example.COM.", "a.test"]], ["example.com", "a.test"]),
    (values.parse_dns_search_domains, [["."]], ["."]),
    (values.parse_dns_opts, [["rotate", "ndots:2", "rotate"]], ["ndots:2", "rotate"]),
    (
        values.parse_etc_hosts,
        [{"B": "2001:DB8::1", "a_b": "host-gateway"}],
        {"a_b": "host-gateway", "b": "2001:db8::1"},
    ),
    (
        values.parse_sysctls,
        [{"net.ipv4.conf.all.rp_filter": 1, "kernel.sem": " 1  2 ", "fs.mqueue.msg_max": "5"}],
        {"fs.mqueue.msg_max": "5", "kernel.sem": "1 2", "net.ipv4.conf.all.rp_filter": "1"},
    ),
]


@pytest.mark.parametrize(
    ("parse", "given", "expected"),
    [(parse, given, expected) for parse, several, expected in GOOD for given in several],
)
def test_spellings_of_one_value(
    parse: t.Callable[[t.Any, str], t.Any], given: t.Any, expected: t.Any
) -> None:
    assert parse(given, "option") == expected
    if expected is not None:
        assert parse(expected, "option") == expected


BAD: list[tuple[t.Callable[[t.Any, str], t.Any], list[t.Any]]] = [
    (
        values.parse_network_mode,
        ["", "container:", "container:-x", "container:a/b", "ns:", "ns:x", "ns:/a/../b", "-x", "a b", "a\n"],
    ),
    (
        values.parse_mac_address,
        ["", "02:42:ac:11:00", "02:42:ac:11:00:0g", "00:00:00:00:00:00", "01:00:5e:00:00:01", "ff" * 6, True],
    ),
    (values.parse_domainname, ["a b", "-a", "a..b", "x" * 65, "a\n"]),
    (values.parse_dns_servers, [["dns.example.com"], [""], ["1.2.3"], "192.0.2.1"]),
    (values.parse_dns_search_domains, [["a b"], [""], ["x." * 130], ["a\nb"]]),
    (values.parse_dns_opts, [["ndots: 2"], ["a\nb"], [""], ["UPPER"]]),
    (
        values.parse_etc_hosts,
        [["a:1"], {"a": "b"}, {"a b": "192.0.2.1"}, {"a\tb": "192.0.2.1"}, {"": "192.0.2.1"}, {"a": ""}],
    ),
    (
        values.parse_sysctls,
        [
            {"kernel.core_pattern": "|x"},
            {"kernel.domainname": "x"},
            {"vm.swappiness": 1},
            {"net.": 1},
            {"net/ipv4/ip_forward": 1},
            {"net.ipv4.../x": 1},
            {"net.core.somaxconn": True},
            {"net.core.somaxconn": ""},
            {"net.core.somaxconn": "1\n2"},
            ["net.core.somaxconn=1"],
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "given"), [(parse, given) for parse, several in BAD for given in several])
def test_what_is_refused_names_the_option(parse: t.Callable[[t.Any, str], t.Any], given: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"^the_option: "):
        parse(given, "the_option")


def test_networks_in_normal_form() -> None:
    whole = {
        "name": "web",
        "ipv4_address": "192.0.2.5",
        "ipv6_address": "2001:DB8:0::5",
        "mac_address": "02-42-AC-11-00-02",
        "aliases": ["www", "Shop", "www"],
        "links": ["db:database", "cache"],
        "driver_opts": {INTERFACE_NAME: "lan0"},
        "gw_priority": 7,
    }
    nothing = {
        "name": "default", "ipv4_address": "", "ipv6_address": None, "aliases": [], "links": [],
        "driver_opts": {}, "gw_priority": 0, "priority": 0,
    }  # fmt: skip
    found = parse_networks([whole, nothing], "networks")
    assert found == [
        {
            "name": "web",
            "ipv4_address": "192.0.2.5",
            "ipv6_address": "2001:db8::5",
            "mac_address": "02:42:ac:11:00:02",
            "aliases": ["shop", "www"],
            "links": [["cache", "cache"], ["db", "database"]],
            "driver_opts": {INTERFACE_NAME: "lan0"},
            "gw_priority": 7,
        },
        {"name": "coracle"},
    ]
    assert parse_networks(found, "networks") == found


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("web", "is not a dictionary"),
        ({}, "is not the name of a network"),
        ({"name": "a/b"}, "is not the name of a network"),
        ({"name": "web", "ip": "192.0.2.1"}, "'ip' is unknown"),
        ({"name": "web", "ipv4_address": "192.0.2"}, "is not an IPv4 address"),
        ({"name": "web", "ipv4_address": "2001:db8::1"}, "is not an IPv4 address"),
        ({"name": "web", "ipv6_address": "fe80::1%eth0"}, "is not an IPv6 address"),
        ({"name": "web", "ipv6_address": "192.0.2.1"}, "is not an IPv6 address"),
        ({"name": "web", "aliases": ["a b"]}, "is not a name"),
        ({"name": "web", "aliases": ["a,b"]}, "is not a name"),
        ({"name": "web", "links": ["a b"]}, "is not a link"),
        ({"name": "web", "links": ["a:b c"]}, "is not a name"),
        ({"name": "web", "driver_opts": {"mtu": "9000"}}, "'mtu' is unknown"),
        ({"name": "web", "driver_opts": {INTERFACE_NAME: "a/b"}}, "is not a name for an interface"),
        ({"name": "web", "driver_opts": {INTERFACE_NAME: "lo"}}, "is not a name for an interface"),
        ({"name": "web", "gw_priority": "high"}, "is not a whole number"),
    ],
)
def test_networks_that_are_refused(item: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^networks\[0\].*{problem}"):
        parse_networks([item], "networks")


@pytest.mark.parametrize(
    ("names", "problem"),
    [(["web", "web"], "'web' is there twice"), (["bridge", "coracle"], "twice"), (["web", "host"], "'host'")],
)
def test_networks_that_do_not_go_together(names: list[str], problem: str) -> None:
    with pytest.raises(InvalidInput, match=f"^networks: .*{problem}"):
        parse_networks([{"name": name} for name in names], "networks")
