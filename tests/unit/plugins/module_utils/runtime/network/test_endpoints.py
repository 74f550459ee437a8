# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What follows from the records of networks and places, before the kernel is asked."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import endpoints
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.bridges import host_link
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.links import Link
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    BRIDGE,
    IPVLAN,
    MACVLAN,
    Endpoint,
    Network,
    Pool,
    Route,
)

POOL_4, POOL_6 = Pool("10.1.0.0/24", "10.1.0.1"), Pool("fd01::/64", "fd01::1")
PARENT = Link(7, "eth0", "", "02:00:00:00:00:01", 9000, True, "", 0, 0, False, 0, 0)


def network(name: str, *pools: Pool, driver: str = BRIDGE, **fields: t.Any) -> Network:
    return Network(name, "ab" * 32, driver, "now", pools=pools, **fields)


def endpoint(name: str, *addresses: str, priority: int = 0) -> Endpoint:
    return Endpoint(
        "c" * 64, name, "d" * 64, f"eth-{name}", addresses, "02:00:00:00:00:02", priority=priority
    )


BOTH = (network("both", POOL_4, POOL_6), endpoint("both", "10.1.0.2/24", "fd01::2/64"))
ONLY_4 = (network("four", POOL_4), endpoint("four", "10.1.0.2/24"))
ONLY_6 = (network("six", POOL_6), endpoint("six", "fd01::2/64"))
FIRST_4 = (network("first", POOL_4), endpoint("first", "10.1.0.3/24", priority=1))
INTERNAL = (network("internal", POOL_4, POOL_6, internal=True), BOTH[1]._replace(priority=9))
NO_GATEWAY = (network("island", Pool("10.1.0.0/24")), endpoint("island", "10.1.0.2/24", priority=9))
HALF = (network("half", POOL_4, POOL_6), endpoint("half", "10.1.0.2/24"))
LAYER_3 = (
    network("deep", Pool("10.1.0.0/24"), driver=IPVLAN, mode="l3"),
    endpoint("deep", "10.1.0.2/24", priority=9),
)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], {}),
        ([BOTH], {4: BOTH, 6: BOTH}),
        ([ONLY_4, BOTH], {4: ONLY_4, 6: BOTH}),
        ([BOTH, ONLY_4], {4: BOTH, 6: BOTH}),
        ([BOTH, FIRST_4], {4: FIRST_4, 6: BOTH}),
        ([ONLY_6, ONLY_4], {4: ONLY_4, 6: ONLY_6}),
        ([INTERNAL], {}),
        ([INTERNAL, NO_GATEWAY, ONLY_4], {4: ONLY_4}),
        ([HALF], {4: HALF}),
        ([ONLY_4, LAYER_3], {4: LAYER_3}),
    ],
)
def test_the_default_route_leads_through(places: t.Any, expected: t.Any) -> None:
    assert endpoints.default_routes(places) == expected


def test_routes_are_those_that_the_addresses_allow() -> None:
    four, six = Route("10.9.0.0/16", "10.1.0.9"), Route("fd09::/64", "fd01::9")
    on = network("n", POOL_4, POOL_6, routes=(four, six))
    assert endpoints._routes(on, BOTH[1]) == [four, six]
    assert endpoints._routes(on, ONLY_4[1]) == [four]
    assert endpoints._routes(on, ONLY_6[1]) == [six]


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (network("n", bridge="br0"), "br0"),
        (network("n"), "cor-ababababab"),
        (network("n", driver=MACVLAN, parent="eth0"), ""),
        (network("n", driver=IPVLAN, parent="eth0", vlan=5), "cor-ababababab"),
    ],
)
def test_the_hosts_link_of_a_network(on: Network, expected: str) -> None:
    assert host_link(on) == expected


class Recorder:
    """In place of `Links`: what would be asked of the kernel."""

    def __init__(self) -> None:
        self.asked: list[t.Any] = []

    def new(self, *arguments: t.Any) -> t.Any:
        return arguments

    def find(self, name: str) -> Link:
        return PARENT._replace(number=9, name=name)

    def rename(self, *arguments: t.Any) -> t.Any:
        return arguments

    def apply(self, *requests: t.Any) -> None:
        self.asked += requests


@pytest.mark.parametrize(
    ("driver", "mode", "mtu", "kind_data", "expected_mtu", "has_mac"),
    [
        (MACVLAN, "", 0, ("IFLA_MACVLAN_MODE", 4), 9000, True),
        (MACVLAN, "private", 0, ("IFLA_MACVLAN_MODE", 1), 9000, True),
        (MACVLAN, "vepa", 0, ("IFLA_MACVLAN_MODE", 2), 9000, True),
        (MACVLAN, "passthru", 1400, ("IFLA_MACVLAN_MODE", 8), 1400, True),
        (IPVLAN, "", 0, ("IFLA_IPVLAN_MODE", 0), 9000, False),
        (IPVLAN, "l2", 0, ("IFLA_IPVLAN_MODE", 0), 9000, False),
        (IPVLAN, "l3", 0, ("IFLA_IPVLAN_MODE", 1), 9000, False),
        (IPVLAN, "l3s", 1400, ("IFLA_IPVLAN_MODE", 2), 1400, False),
    ],
)
def test_a_link_on_a_parent(
    driver: str, mode: str, mtu: int, kind_data: tuple[str, int], expected_mtu: int, has_mac: bool
) -> None:
    outside: t.Any = Recorder()
    inside: t.Any = Recorder()
    on = network("direct", POOL_4, driver=driver, mode=mode, mtu=mtu)
    endpoints._make_on_parent(outside, inside, on, ONLY_4[1], PARENT, 3)
    [(name, kind, data, attributes)] = outside.asked
    expected = {"IFLA_LINK": 7, "IFLA_MTU": expected_mtu, "IFLA_NET_NS_FD": 3}
    if has_mac:
        expected["IFLA_ADDRESS"] = "02:00:00:00:00:02"
    assert (name, kind, data, dict(attributes)) == ("cv-ddddddddddd", driver, [kind_data], expected)
    assert inside.asked == [(9, "eth-four")]
