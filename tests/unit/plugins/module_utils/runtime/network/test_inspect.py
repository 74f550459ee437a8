# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The shape of `docker network inspect`: where people's filters look for things, and what they find there."""

from __future__ import annotations

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.inspect import inspect_network
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    Endpoint,
    Network,
    Pool,
    Route,
)

NETWORK = Network(
    "backend",
    "0123456789" + "a" * 54,
    "bridge",
    "2026-11-24T08:00:00.000000000Z",
    pools=(
        Pool("192.0.2.0/24", "192.0.2.1", "192.0.2.128/25", {"printer": "192.0.2.130"}),
        Pool("fd00::/64", "fd00::1"),
    ),
    isolated=False,
    dns_servers=("192.0.2.53",),
    routes=(Route("198.51.100.0/24", "192.0.2.9", 10),),
    labels={"a": "b"},
    bridge="cor-0123456789",
    mtu=1400,
)


def test_the_shape() -> None:
    web = Endpoint("c" * 64, "backend", "e" * 64, "eth0", ("192.0.2.2/24", "fd00::2/64"), "02:00:00:00:00:01")
    old = Endpoint("d" * 64, "backend", "f" * 64, "eth1", ("192.0.2.22/24",), "02:00:00:00:00:02")
    names = {"c" * 64: "web", "d" * 64: "old"}
    assert inspect_network(NETWORK, [web, old], names) == {
        "Name": "backend",
        "Id": NETWORK.id,
        "Created": NETWORK.created,
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": True,
        "EnableIPv6": True,
        "IPAM": {
            "Driver": "default",
            "Options": {},
            "Config": [
                {
                    "Subnet": "192.0.2.0/24",
                    "IPRange": "192.0.2.128/25",
                    "Gateway": "192.0.2.1",
                    "AuxiliaryAddresses": {"printer": "192.0.2.130"},
                },
                {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            ],
        },
        "Internal": False,
        "Attachable": True,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            "d" * 64: {
                "Name": "old",
                "EndpointID": "f" * 64,
                "MacAddress": "02:00:00:00:00:02",
                "IPv4Address": "192.0.2.22/24",
                "IPv6Address": "",
            },
            "c" * 64: {
                "Name": "web",
                "EndpointID": "e" * 64,
                "MacAddress": "02:00:00:00:00:01",
                "IPv4Address": "192.0.2.2/24",
                "IPv6Address": "fd00::2/64",
            },
        },
        "Options": {"isolate": "false", "mtu": "1400"},
        "Labels": {"a": "b"},
        "Interface": "cor-0123456789",
        "Isolated": False,
        "OpenHostFirewall": False,
        "DNS": {"Enabled": True, "Servers": ["192.0.2.53"]},
        "Routes": [{"Destination": "198.51.100.0/24", "Gateway": "192.0.2.9", "Metric": 10}],
    }


def test_a_network_that_is_yet_to_be_made() -> None:
    inspected = inspect_network(Network("backend", "", "macvlan", "", parent="eth0", mode="bridge"), [], {})
    assert inspected["Created"] == "0001-01-01T00:00:00Z"
    assert (inspected["Id"], inspected["Interface"], inspected["Containers"]) == ("", "", {})
    assert inspected["Options"] == {"mode": "bridge", "parent": "eth0"}
