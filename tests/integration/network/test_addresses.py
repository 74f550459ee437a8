# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Subnets and addresses under real conditions: many at once, and a host that has something already."""

from __future__ import annotations

import concurrent.futures
import ipaddress
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    DEFAULT_NETWORK,
    Network,
    Pool,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    addresses_in,
    find_network,
    list_endpoints,
    list_networks,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.default_network import (
    ensure_default_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.container.test_parallel import at_once
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

CREATE = """
import os
config = load("container.config").ContainerConfig(command=["sleep", "1000"], network_mode="backend")
image = load("content.images").list_images(engine.records.read())[0]
verb("create_container")(engine, f"c{os.getpid()}", config, image, "busybox")
"""
MAKE = """
options = load("network.options").NetworkOptions()
print(verb("create_network")(engine, "backend", options).pools[0].subnet)
"""
ENSURE = """
print(load("operations.default_network").ensure_default_network(engine).id)
"""


def subnet(network: Network) -> t.Any:
    return network.pools[0].network


def test_fifty_containers_at_once_have_fifty_addresses(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    network = create_network(harbour.engine, "backend", NetworkOptions(ipv6=True))
    assert set(at_once(harbour, tmp_path, [CREATE] * 50)) == {""}
    endpoints = list_endpoints(harbour.engine.records.read())
    assert len(endpoints) == 50
    holders = addresses_in(harbour.engine.records.read(), "backend")
    assert len(holders) == 100
    for endpoint in endpoints:
        assert {holders[endpoint.address(version)] for version in (4, 6)} == {endpoint.container_id}
        assert all(network.pool_of(address) for address in endpoint.addresses)
    assert len({endpoint.mac for endpoint in endpoints}) == 50
    harbour.remove_all()
    assert addresses_in(harbour.engine.records.read(), "backend") == {}


def test_the_default_network_is_made_once(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    ids = at_once(harbour, tmp_path, [ENSURE] * 10)
    assert len(set(ids)) == 1, ids
    [network] = list_networks(harbour.engine.records.read())
    assert (network.name, network.dns, network.id) == (DEFAULT_NETWORK, False, ids[0].strip())
    assert ensure_default_network(harbour.engine) == network


def test_a_default_network_of_one_s_own_stays(harbour: Harbour) -> None:
    made = create_network(harbour.engine, DEFAULT_NETWORK, NetworkOptions(mtu=1400))
    assert ensure_default_network(harbour.engine) == made


def test_networks_of_many_tasks_at_once_do_not_overlap(harbour: Harbour) -> None:
    def make(number: int) -> Network:
        with Harbour(harbour.paths) as another:
            return create_network(another.engine, f"n{number}", NetworkOptions(ipv6=number % 2 == 0))

    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # as a task does it: on the host of the LAN
        made = list(pool.map(make, range(12)))
    pools = [pool.network for network in made for pool in network.pools]
    assert len(pools) == 18
    for number, one in enumerate(pools):
        assert not any(
            one.overlaps(t.cast(t.Any, other)) for other in pools[:number] if one.version == other.version
        )


def test_an_automatic_subnet_avoids_what_the_host_has(harbour: Harbour, lan: Lan) -> None:
    """A route, an address, and the bridge of another engine that is down."""
    chosen = subnet(create_network(harbour.engine, "first", NetworkOptions()))

    def following(number: int) -> t.Any:
        return ipaddress.ip_network((int(chosen.network_address) + 256 * number, 24))

    if following(4).supernet(new_prefix=13) != chosen.supernet(new_prefix=13):
        pytest.skip("not applicable: the subnets of this engine begin at the end of the room")
    lan.run("host", ["ip", "route", "add", str(following(1)), "via", ADDRESSES["router"]])
    lan.run("host", ["ip", "address", "add", f"{following(2)[77]}/32", "dev", "lo"])
    lan.run("host", ["ip", "link", "add", "foreign0", "type", "bridge"])
    lan.run("host", ["ip", "address", "add", f"{following(3)[1]}/24", "dev", "foreign0"])
    assert subnet(create_network(harbour.engine, "second", NetworkOptions())) == following(4)


def test_a_subnet_that_the_host_has_is_refused(harbour: Harbour, lan: Lan) -> None:
    for wanted in ("192.0.2.0/24", "192.0.0.0/16", "2001:db8:1::/48"):
        with pytest.raises(Conflict, match="which this host reaches in another way"):
            create_network(harbour.engine, "backend", NetworkOptions(pools=(Pool(wanted, ""),)))
    part = NetworkOptions(pools=(Pool("192.0.2.128/26", "192.0.2.129"),))
    assert create_network(harbour.engine, "backend", part).pools == part.pools
    with pytest.raises(Conflict, match="the host has an interface eth0 already"):
        create_network(harbour.engine, "other", NetworkOptions(bridge="eth0"))
    lan.run("host", ["ip", "-o", "link", "show", "eth0"])
    assert find_network(harbour.engine.records.read(), "other") is None


def test_two_engines_on_one_host_choose_different_subnets(harbour: Harbour) -> None:
    other_paths = Paths(f"{harbour.paths.root}/other", f"{harbour.paths.run_root}/other")
    mine = subnet(create_network(harbour.engine, "backend", NetworkOptions()))
    argv = harbour.python(MAKE)
    argv[4:6] = other_paths
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert not mine.overlaps(ipaddress.ip_network(printed.strip()))
