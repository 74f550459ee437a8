# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import contextlib
import ipaddress
import pathlib
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import records
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.addresses import (
    choose_pools,
    move_endpoints,
    reserve,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    Endpoint,
    Network,
    Pool,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.database import Database


def subnets(*texts: str) -> list[t.Any]:
    return [ipaddress.ip_network(text) for text in texts]


# Subnets


def test_automatic_subnets() -> None:
    assert choose_pools(()) == (Pool("10.80.0.0/24", "10.80.0.1"),)
    [ipv4, ipv6] = choose_pools((), ipv6=True, site="here")
    assert ipv4.version == 4
    assert ipv6.network.subnet_of(ipaddress.ip_network("fd00::/8"))
    assert (ipv6.prefix_length, ipv6.gateway) == (64, str(ipv6.network[1]))
    [only] = choose_pools((), ipv4=False, ipv6=True, site="here")
    assert only == ipv6
    assert choose_pools((), ipv4=False, ipv6=True, site="there") != (ipv6,)


def test_every_network_of_a_site_has_the_same_prefix() -> None:
    taken: list[t.Any] = []
    for _number in range(3):
        [pool] = choose_pools((), ipv4=False, ipv6=True, taken=taken, site="here")
        taken.append(pool.network)
    assert [int(subnet.network_address) >> 64 & 0xFFFF for subnet in taken] == [0, 1, 2]
    assert len({subnet.supernet(new_prefix=48) for subnet in taken}) == 1


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        (["10.80.0.0/24"], "10.80.1.0/24"),
        (["10.80.0.77/32"], "10.80.1.0/24"),
        (["10.80.0.0/16"], "10.81.0.0/24"),
        (["10.0.0.0/8"], "192.168.0.0/24"),
        (["10.0.0.0/8", "192.168.0.0/16"], "172.16.0.0/24"),
        (["10.80.1.0/24", "fd00::/8"], "10.80.0.0/24"),
        # A default route covers everything and excludes nothing; VPNs write it in parts.
        (["0.0.0.0/0"], "10.80.0.0/24"),
        (["0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7"], "10.80.0.0/24"),
    ],
)
def test_automatic_subnets_avoid_what_is_taken(taken: list[str], chosen: str) -> None:
    [pool] = choose_pools((), taken=subnets(*taken))
    assert pool.subnet == chosen


def test_nothing_is_free() -> None:
    with pytest.raises(Conflict, match=r"no subnet is free for IPv4.*ipam_config"):
        choose_pools((), taken=subnets("10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"))


def test_the_search_begins_anywhere_and_sees_all() -> None:
    [last] = choose_pools((), start=2047)
    assert last.subnet == "10.87.255.0/24"
    [wrapped] = choose_pools((), start=2047, taken=[last.network])
    assert wrapped.subnet == "10.80.0.0/24"


def test_pools_that_were_named_stay_and_are_enough() -> None:
    named = (Pool("192.0.2.0/24", "192.0.2.9"), Pool("192.0.3.0/24", "192.0.3.1"))
    assert choose_pools(named) == named
    assert [pool.version for pool in choose_pools(named, ipv6=True)] == [4, 4, 6]
    [first, second] = choose_pools([Pool("2001:db8::/64", "2001:db8::1")])
    assert (first.version, second.version) == (6, 4)


_SUBNETS = st.builds(
    lambda number, length: ipaddress.ip_network((number, length), strict=False),
    st.integers(int(ipaddress.ip_address("10.79.0.0")), int(ipaddress.ip_address("10.88.255.255"))),
    st.integers(13, 32),
)


@hypothesis.given(st.lists(_SUBNETS, max_size=30), st.integers(0, 5000))
def test_a_subnet_that_is_chosen_is_nobody_else_s(taken: list[ipaddress.IPv4Network], start: int) -> None:
    [pool] = choose_pools((), taken=taken, start=start)
    assert not any(subnet.overlaps(t.cast(t.Any, pool.network)) for subnet in taken)


# Addresses


@pytest.fixture
def database(tmp_path: pathlib.Path) -> t.Iterator[Database]:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    make_private_directory(paths.root)
    with contextlib.closing(Database.open(paths)) as database:
        yield database


def network(*pools: Pool) -> Network:
    return Network("lan", "1" * 64, "bridge", "", pools)


def make(database: Database, net: Network) -> Network:
    with database.transaction() as transaction:
        records.insert_network(transaction, net)
    return net


def connect(database: Database, net: Network, name: str, **options: t.Any) -> tuple[str, ...]:
    with database.transaction() as transaction:
        transaction.execute(
            "INSERT OR IGNORE INTO containers VALUES (?, ?, NULL, '{}', '{}', '')", (name * 64, name)
        )
        addresses = reserve(transaction, net, name * 64, **options)
        endpoint = Endpoint(name * 64, net.name, "2" * 64, "eth0", addresses, "02:00:00:00:00:01")
        records.save_endpoint(transaction, endpoint)
        return addresses


def test_the_first_free_address_of_each_version(database: Database) -> None:
    net = make(database, network(Pool("192.0.2.0/24", "192.0.2.1"), Pool("fd00::/64", "fd00::1")))
    assert connect(database, net, "a") == ("192.0.2.2/24", "fd00::2/64")
    assert connect(database, net, "b") == ("192.0.2.3/24", "fd00::3/64")
    with database.transaction() as transaction:
        records.delete_endpoint(transaction, "a" * 64, "lan")
    assert connect(database, net, "c") == ("192.0.2.2/24", "fd00::2/64")
    assert connect(database, net, "d", avoid=("192.0.2.4",)) == ("192.0.2.5/24", "fd00::4/64")
    assert connect(database, net, "b") == ("192.0.2.3/24", "fd00::3/64"), "its own address is free for it"


def test_gateway_range_and_reserved_addresses(database: Database) -> None:
    pool = Pool("192.0.2.0/24", "192.0.2.9", "192.0.2.8/30", {"printer": "192.0.2.10"})
    net = make(database, network(pool))
    assert connect(database, net, "a") == ("192.0.2.8/24",)
    assert connect(database, net, "b") == ("192.0.2.11/24",)
    with pytest.raises(Conflict, match=r"network lan has no free address in 192.0.2.8/30"):
        connect(database, net, "c")
    assert connect(database, net, "c", ipv4="192.0.2.77") == ("192.0.2.77/24",), "named ones are free to lie"


def test_the_next_pool_when_one_is_full(database: Database) -> None:
    net = make(database, network(Pool("192.0.2.0/30", "192.0.2.1"), Pool("192.0.3.0/24", "192.0.3.1")))
    assert connect(database, net, "a") == ("192.0.2.2/30",)
    assert connect(database, net, "b") == ("192.0.3.2/24",)
    with pytest.raises(InvalidInput):
        connect(database, net, "c", ipv4="192.0.2.3")


def test_the_smallest_subnets(database: Database) -> None:
    net = make(database, network(Pool("192.0.2.0/31", ""), Pool("fd00::/127", "fd00::")))
    assert connect(database, net, "a") == ("192.0.2.0/31", "fd00::1/127")


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"ipv4": "192.0.2.1"}, "192.0.2.1 is the gateway of network lan"),
        ({"ipv4": "192.0.2.0"}, "192.0.2.0 is the address of the subnet itself of network lan"),
        ({"ipv4": "192.0.2.255"}, "192.0.2.255 is the broadcast address of network lan"),
        ({"ipv4": "192.0.2.7"}, "192.0.2.7 is reserved for printer of network lan"),
        ({"ipv4": "198.51.100.1"}, "is in no subnet of network lan (choose one of 192.0.2.0/24)"),
        ({"ipv6": "fd00::5"}, "is in no subnet of network lan (it has no subnet for IPv6)"),
        ({"ipv4": "fd00::5"}, "fd00::5 is not an IPv4 address"),
        ({"ipv6": "192.0.2.5"}, "192.0.2.5 is not an IPv6 address"),
        ({"ipv4": "192.0.2"}, "'192.0.2' is not an address"),
    ],
)
def test_addresses_that_nobody_can_have(database: Database, wanted: dict[str, str], problem: str) -> None:
    net = make(database, network(Pool("192.0.2.0/24", "192.0.2.1", "", {"printer": "192.0.2.7"})))
    with pytest.raises(InvalidInput) as raised:
        connect(database, net, "a", **wanted)
    assert problem in str(raised.value)


def test_a_taken_address_names_its_holder(database: Database) -> None:
    net = make(database, network(Pool("192.0.2.0/24", "192.0.2.1"), Pool("fd00::/64", "fd00::1")))
    connect(database, net, "a", ipv4="192.0.2.5", ipv6="fd00:0:0::5")
    with pytest.raises(Conflict, match=r"192.0.2.5 on network lan belongs to container a") as raised:
        connect(database, net, "b", ipv4="192.0.2.5")
    assert raised.value.facts == {"address": "192.0.2.5", "holder": "a"}
    with pytest.raises(Conflict, match=r"fd00::5 on network lan belongs to container a"):
        connect(database, net, "b", ipv6="fd00::5")
    with database.transaction() as transaction:
        transaction.execute("UPDATE containers SET name = '.web.5f3c' WHERE name = 'a'")
    with pytest.raises(Conflict, match=r"belongs to container web "):
        connect(database, net, "b", ipv4="192.0.2.5")


# Other subnets under the same places


def place(name: str, *addresses: str) -> Endpoint:
    return Endpoint(name, "lan", name * 64, "eth0", addresses, "02:00:00:00:00:01")


def moved(net: Network, *places: Endpoint, **asked: list[str]) -> list[tuple[str, ...]]:
    return [endpoint.addresses for endpoint in move_endpoints(net, places, asked)]


LAN = network(Pool("192.0.2.0/24", "192.0.2.1"), Pool("fd00::/64", "fd00::1"))


def test_addresses_stay_where_they_can() -> None:
    places = (place("a", "192.0.2.7/25", "fd00::7/64"), place("b", "192.0.2.2/25"), place("c", "10.0.0.2/8"))
    assert moved(LAN, *places) == [
        ("192.0.2.7/24", "fd00::7/64"),
        ("192.0.2.2/24", "fd00::2/64"),
        ("192.0.2.3/24", "fd00::3/64"),
    ]
    again = [place(name, *addresses) for name, addresses in zip("abc", moved(LAN, *places))]
    assert moved(LAN, *again) == [endpoint.addresses for endpoint in again]
    assert moved(network(LAN.pools[0]), *again) == [endpoint.addresses[:1] for endpoint in again]


def test_what_becomes_the_gateway_s_or_reserved_is_given_up() -> None:
    net = network(Pool("192.0.2.0/24", "192.0.2.7", "192.0.2.128/25", {"printer": "192.0.2.8"}))
    places = [place("a", "192.0.2.7/24"), place("b", "192.0.2.8/24"), place("c", "192.0.2.9/24")]
    assert moved(net, *places) == [("192.0.2.128/24",), ("192.0.2.129/24",), ("192.0.2.9/24",)]


def test_what_a_container_has_asked_for_comes_first() -> None:
    places = [place("a", "192.0.2.9/24"), place("b", "10.0.0.9/8"), place("c", "192.0.2.10/24")]
    assert moved(network(LAN.pools[0]), *places, b=["192.0.2.9"], c=["192.0.2.10"]) == [
        ("192.0.2.2/24",),
        ("192.0.2.9/24",),
        ("192.0.2.10/24",),
    ]


def test_one_of_two_that_have_asked_for_the_same_keeps_it() -> None:
    """A container, and the one that is going to replace it."""
    places = [place("a", "192.0.2.5/24"), place("b", "192.0.2.9/24")]
    wish = ["192.0.2.9"]
    assert moved(network(LAN.pools[0]), *places, a=wish, b=wish) == [("192.0.2.5/24",), ("192.0.2.9/24",)]


def test_a_subnet_that_is_too_small() -> None:
    places = [place("a", "10.0.0.2/8"), place("b", "10.0.0.3/8")]
    with pytest.raises(Conflict, match=r"network lan has no free address in 192.0.2.0/30"):
        moved(network(Pool("192.0.2.0/30", "192.0.2.1")), *places)


@hypothesis.given(
    st.lists(st.integers(0, 40), unique=True, max_size=20), st.lists(st.integers(0, 40), max_size=20)
)
def test_no_address_is_given_twice(had: list[int], wishes: list[int]) -> None:
    places = [place(chr(97 + index), f"192.0.2.{number}/24") for index, number in enumerate(had)]
    asked = {chr(97 + index): [f"192.0.2.{number}"] for index, number in enumerate(wishes)}
    given = moved(network(LAN.pools[0]), *places, **asked)
    assert len(set(given)) == len(places)
    assert all(len(addresses) == 1 for addresses in given)
