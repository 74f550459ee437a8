# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The firewall table of an engine, and what goes with it: forwarding, reservations, what conntrack knows."""

from __future__ import annotations

import pathlib
import socket
import subprocess

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_published_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    remove_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.ports import (
    reserve_ports,
    take_over_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_firewall import (
    firewall_is_stale,
    update_firewall,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan


def ports(*specifications: str) -> list[dict[str, object]]:
    return parse_published_ports(list(specifications), "published_ports")


def test_a_client_of_udp_follows_a_port_to_another_container(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    one = harbour.start("one", "sleep", "1000", network_mode="web", published_ports=ports("5000:50/udp"))
    two = harbour.start("two", "sleep", "1000", network_mode="web")
    for record in (one, two):
        place = harbour.engine.paths.network_namespace(record.id)
        lan.serve(place, "udp", "0.0.0.0", 50, record.name)
    with lan.inside("neighbour"):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.settimeout(5)
        client.connect((ADDRESSES["host"], 5000))
        client.send(b"?")
        assert client.recv(9) == b"one"
        with harbour.engine.database.transaction() as transaction:
            take_over_ports(transaction, one.id, two.id, ports("5000:50/udp"))
        update_firewall(harbour.engine)
        client.send(b"?")
        assert client.recv(9) == b"two"


def test_who_has_a_port_is_named(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("one", "sleep", "1000", network_mode="web", published_ports=ports("5000:50/udp"))
    two = harbour.start("two", "sleep", "1000", network_mode="web")
    lan.serve("host", "tcp", "127.0.0.1", 7777, "theirs")
    holders = {"5000:1/udp": "container one", "127.0.0.1:5000:1/udp": "container one", "7777:1": "process "}
    for specification, holder in holders.items():
        with pytest.raises(Conflict, match=holder), harbour.engine.database.transaction() as transaction:
            reserve_ports(transaction, two.id, ports(specification))


def test_the_host_becomes_no_router_for_others(harbour: Harbour, lan: Lan, tmp_path: pathlib.Path) -> None:
    """Forwarding is on while containers need it; between interfaces that were there, nothing passes. One has
    a name that has to be quoted, another one a name that no ruleset can say.
    """
    behind = str(tmp_path / "behind")
    create_network_namespace(behind)
    try:
        lan.run("host", ["ip", "link", "add", "a+b", "type", "veth", "peer", "name", "eth0", "netns", behind])
        lan.run("host", ["ip", "link", "add", "c*d", "type", "bridge"])
        lan.run("host", ["ip", "address", "add", "203.0.113.1/24", "dev", "a+b"])
        lan.run("host", ["ip", "link", "set", "a+b", "up"])
        lan.run(behind, ["ip", "address", "add", "203.0.113.2/24", "dev", "eth0"])
        lan.run(behind, ["ip", "link", "set", "eth0", "up"])
        lan.run(behind, ["ip", "route", "add", "default", "via", "203.0.113.1"])
        lan.run("neighbour", ["ip", "route", "add", "203.0.113.0/24", "via", ADDRESSES["host"]])
        lan.serve(behind, "tcp", "203.0.113.2", 80, "behind")
        way = ("neighbour", "tcp", "203.0.113.2", 80)
        create_network(harbour.engine, "web", NetworkOptions())
        assert lan.probe(*way) == "filtered"
        harbour.start("web", "sleep", "1000", network_mode="web")
        assert lan.sysctl("host", "ipv4/ip_forward") == "1"
        assert lan.probe(*way) == "filtered"
        remove_container(harbour.engine, "web")
        assert lan.sysctl("host", "ipv4/ip_forward") == "0"
        lan.sysctl("host", "ipv4/ip_forward", "1")
        assert lan.probe(*way) == "open:behind"
        harbour.start("web", "sleep", "1000", network_mode="web")
        assert lan.probe(*way) == "open:behind"
        remove_container(harbour.engine, "web")
        assert lan.sysctl("host", "ipv4/ip_forward") == "1"
    finally:
        remove_network_namespace(behind)


def test_a_table_that_others_have_changed_is_stale(harbour: Harbour) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("web", "sleep", "1000", network_mode="web", published_ports=ports("8080:80"))
    table = ["inet", harbour.engine.paths.instance]
    for change in (["flush", "table", *table], ["delete", "table", *table]):
        assert not firewall_is_stale(harbour.engine)
        subprocess.run(["nft", *change], check=True)
        assert firewall_is_stale(harbour.engine)
        update_firewall(harbour.engine)
    assert not firewall_is_stale(harbour.engine)
