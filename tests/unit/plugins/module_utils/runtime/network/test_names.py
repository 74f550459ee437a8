# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    BRIDGE,
    MACVLAN,
    Endpoint,
    Member,
    Network,
    Pool,
    Snapshot,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.names import (
    Zone,
    has_server,
    names_of,
    zones,
)

BLUE = Network(
    "blue", "b" * 64, BRIDGE, "", (Pool("10.80.1.0/24", "10.80.1.1"), Pool("fd00::/64", "fd00::1"))
)
INNER = Network("inner", "1" * 64, BRIDGE, "", (Pool("10.80.2.0/24", "10.80.2.1"),), internal=True)
WEB, DB = "a" * 64, "d" * 64


def endpoint(container_id: str, network: str, *addresses: str, aliases: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint(container_id, network, "e" * 64, "eth0", addresses, "", aliases)


ENDPOINTS = (endpoint(WEB, "blue", "10.80.1.2/24", "fd00::2/64", aliases=("www",)),)


def told(
    networks: tuple[Network, ...] = (BLUE,), endpoints: tuple[Endpoint, ...] = ENDPOINTS, **said: t.Any
) -> list[Zone]:
    members = {WEB: Member(WEB, "web", **said), DB: Member(DB, "db")}
    listen = {network.id: [pool.gateway for pool in network.pools] for network in networks}
    return zones(Snapshot("coracle", networks, endpoints, (), members), listen)


def lines(zone: Zone) -> list[str]:
    """But for the marker."""
    *found, marker = zone.content.splitlines()
    assert marker == f"coracle {zone.generation}  _coracle"
    return found


def test_one_network() -> None:
    [zone] = told()
    assert zone.file_name == BLUE.id
    assert lines(zone) == ["10.80.1.1,fd00::1", f"{WEB} 10.80.1.2 fd00::2 web,www,{WEB[:12]}"]


def test_servers_for_other_names() -> None:
    [zone] = told((BLUE._replace(dns_servers=("192.0.2.1", "2001:db8::1")),), dns_servers=("192.0.2.9",))
    assert lines(zone) == [
        "10.80.1.1,fd00::1 192.0.2.1,2001:db8::1",
        f"{WEB} 10.80.1.2 fd00::2 web,www,{WEB[:12]} 192.0.2.9",
    ]


def test_servers_that_are_none_are_left_out() -> None:
    [zone] = told((BLUE._replace(dns_servers=("fe80::1%eth0", "x\ny", "192.0.2.1")),))
    assert lines(zone)[0] == "10.80.1.1,fd00::1 192.0.2.1"


def test_internal_networks_have_no_way_out() -> None:
    endpoints = (
        *ENDPOINTS,
        endpoint(WEB, "inner", "10.80.2.2/24"),
        endpoint(DB, "inner", "10.80.2.3/24"),
    )
    inner = INNER._replace(dns_servers=("192.0.2.1",))
    _blue, zone = told((BLUE, inner), endpoints)
    assert zone.file_name == f"{INNER.id}%int"
    assert lines(zone) == [
        "10.80.2.1",
        f"{WEB} 10.80.2.2  web,{WEB[:12]}",
        f"{DB} 10.80.2.3  db,{DB[:12]} 255.255.255.255",
    ]


@pytest.mark.parametrize("role", ["standby", "draining"])
def test_who_has_no_place_yet_or_any_more_is_not_there(role: str) -> None:
    [zone] = told(**{role: True})
    assert lines(zone) == ["10.80.1.1,fd00::1"]


def test_a_change_anywhere_is_another_generation_everywhere() -> None:
    """The server reads all files again, and old ones answer nobody meanwhile."""
    both = told((BLUE, INNER), (*ENDPOINTS, endpoint(DB, "inner", "10.80.2.3/24")))
    one = told((BLUE, INNER))
    assert lines(both[0]) == lines(one[0])
    assert len({zone.generation for zone in both}) == 1
    assert both[0].generation != one[0].generation


def test_networks_without_a_place_for_a_server() -> None:
    assert has_server(BLUE)
    assert not has_server(BLUE._replace(dns=False))
    assert not has_server(BLUE._replace(driver=MACVLAN))
    assert not has_server(BLUE._replace(pools=(Pool("10.80.1.0/24"),)))


@pytest.mark.parametrize(
    "name",
    [
        "x\n6.6.6.6",
        "x y",
        "a,b",
        "",
        ".",
        "a..b",
        "a.",
        "_coracle",
        "-x",
        "ü",
        "x" * 64,
        "a\0b",
        "a\u2028b",
        "x." * 127,
    ],
)
def test_what_is_no_name_is_left_out(name: str) -> None:
    member = Member(WEB, name, hostname=name)
    assert names_of(member, endpoint(WEB, "blue", aliases=(name,))) == (WEB[:12],)


def test_names_are_there_once_and_without_case() -> None:
    member = Member(WEB, "Web", hostname="web")
    assert names_of(member, endpoint(WEB, "blue", aliases=("WWW", "a_b-", "web"))) == (
        "web",
        "www",
        "a_b-",
        WEB[:12],
    )
