# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    Endpoint,
    Member,
    Network,
    Pool,
    Route,
    Snapshot,
    bridge_name,
)

NETWORK = Network(
    "backend",
    "a1" * 32,
    "bridge",
    "2026-11-24T08:00:00.000000000Z",
    pools=(
        Pool("192.0.2.0/24", "192.0.2.1", "192.0.2.128/25", {"printer": "192.0.2.130"}),
        Pool("fd00::/64", "fd00::1"),
    ),
    dns_servers=("192.0.2.53",),
    routes=(Route("198.51.100.0/24", "192.0.2.9", 10),),
    labels={"a": "b"},
    asked={"pools": []},
)
ENDPOINT = Endpoint(
    "c" * 64,
    "backend",
    "0123456789abcdef" * 4,
    "eth0",
    ("192.0.2.2/24", "fd00::2/64"),
    "02:00:00:00:00:01",
    aliases=("web",),
    links=(("db", "database"),),
)


@pytest.mark.parametrize("value", [NETWORK, ENDPOINT])
def test_values_survive_the_state_file(value: Network | Endpoint) -> None:
    again = type(value).from_json(value.to_json())
    assert again == value
    assert hash(again.addresses if isinstance(again, Endpoint) else again.dns_servers) is not None


@pytest.mark.parametrize("value", [NETWORK, ENDPOINT])
def test_what_a_newer_engine_has_written_besides_is_passed_over(value: Network | Endpoint) -> None:
    document = {**json.loads(value.to_json()), "novelty": 1}
    if isinstance(value, Network):
        document["pools"][0]["novelty"] = document["routes"][0]["novelty"] = 1
    assert type(value).from_json(json.dumps(document)) == value


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"name": 1}'])
def test_damaged_records(text: str) -> None:
    for shape in (Network, Endpoint):
        with pytest.raises((ValueError, TypeError, KeyError)):
            shape.from_json(text)


def test_places_in_a_network() -> None:
    assert NETWORK.pool_of("192.0.2.77") is NETWORK.pools[0]
    assert NETWORK.pool_of("fd00::77/64") is NETWORK.pools[1]
    assert NETWORK.pool_of("198.51.100.1") is None
    assert (NETWORK.gateway(4), NETWORK.gateway(6)) == ("192.0.2.1", "fd00::1")
    assert NETWORK._replace(pools=()).gateway(4) == ""
    assert (NETWORK.pools[1].version, NETWORK.pools[1].prefix_length) == (6, 64)


def test_addresses_of_an_endpoint() -> None:
    assert (ENDPOINT.address(4), ENDPOINT.address(6)) == ("192.0.2.2", "fd00::2")
    assert ENDPOINT._replace(addresses=("192.0.2.2/24",)).address(6) == ""


def test_names_of_interfaces_fit() -> None:
    assert bridge_name(NETWORK.id) == "cor-a1a1a1a1a1"
    assert ENDPOINT.host_interface == "cv-0123456789a"
    assert max(len(bridge_name(NETWORK.id)), len(ENDPOINT.host_interface)) <= 15


def test_a_snapshot_knows_whose_is_what() -> None:
    members = {"c" * 64: Member("c" * 64, "web")}
    snapshot = Snapshot("coracle", (NETWORK,), (ENDPOINT,), (), members)
    assert snapshot.network_of(ENDPOINT) is NETWORK
    assert members["c" * 64].short_id == "c" * 12
