# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The firewall table of an engine, and what goes with it: forwarding, reservations, what conntrack knows."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import socket

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_published_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    remove_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.netlink import Netlink
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import (
    signal_process,
    wait_until_gone,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import conntrack, nftables
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.name_server import running_server
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.ports import (
    reserve_ports,
    take_over_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import endpoints_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_firewall import (
    update_firewall,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_network import (
    update_network,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
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


def redirected(harbour: Harbour) -> int:
    """How many connections the kernel remembers to have sent elsewhere, in this namespace."""
    with Netlink(nftables.NETLINK_NETFILTER) as netlink:
        return len(conntrack._entries(netlink, next(conntrack._questions([]))))


def publish(harbour: Harbour, container_id: str, *specifications: str) -> None:
    with harbour.engine.database.transaction() as transaction:
        reserve_ports(transaction, container_id, ports(*specifications))
    update_firewall(harbour.engine)


def test_a_connection_is_forgotten_when_its_port_goes(
    harbour: Harbour, lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when whoever closed it was killed in between."""
    create_network(harbour.engine, "web", NetworkOptions())
    one = harbour.start("one", "sleep", "1000", network_mode="web", published_ports=ports("5000:50"))
    lan.serve(harbour.engine.paths.network_namespace(one.id), "tcp", "0.0.0.0", 50, "one")
    assert lan.probe("neighbour", "tcp", ADDRESSES["host"], 5000) == "open:one"
    publish(harbour, one.id, "5000:50", "5001:50")
    assert redirected(harbour) == 1
    publish(harbour, one.id, "5001:50")
    assert redirected(harbour) == 0
    assert lan.probe("neighbour", "tcp", ADDRESSES["host"], 5001) == "open:one"
    with monkeypatch.context() as patched:
        patched.setattr(conntrack, "forget_stale", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(harbour, one.id, "5002:50")
    assert redirected(harbour) == 1
    publish(harbour, one.id, "5002:50", "5003:50")
    assert redirected(harbour) == 0


def killed(*_arguments: object) -> None:
    raise KeyboardInterrupt


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


@pytest.mark.parametrize("verb", ["flush", "delete"])
def test_a_table_that_others_have_changed_is_made_whole(harbour: Harbour, lan: Lan, verb: str) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("web", "sleep", "1000", network_mode="web", published_ports=ports("8080:80"))
    table = ["table", "inet", harbour.engine.paths.instance]
    whole = lan.run("host", ["nft", "list", *table])
    lan.run("host", ["nft", verb, *table])
    update_firewall(harbour.engine)
    assert lan.run("host", ["nft", "list", *table]) == whole


def test_every_task_restores_what_containers_have_lost(target: Target, lan: Lan) -> None:
    """Check mode says so and does nothing; modules that only look do nothing either."""
    target.network_mode = None
    target.run(target.network(name="backend"))
    target.make(networks=[{"name": "backend"}], published_ports=["8080:80"], command=["sleep", "1000"])
    table = f"inet {target.paths.instance}"
    lan.run("host", ["nft", "flush", "ruleset"])
    foretold, looked, done, again = target.run(
        target.volume(check=True), target.info(), target.volume(), target.volume()
    )
    sentence = f"restore the firewall of the containers: the table {table} has gone"
    assert foretold["actions"] == done["actions"] == [sentence, "create volume data"]
    assert not looked["changed"]
    assert done["changed"]
    assert not again["changed"]
    assert f"table {table}" in lan.run("host", ["nft", "list", "tables"])
    lan.sysctl("host", "ipv4/ip_forward", "0")
    [unchanged] = target.run(target.container(state="started"))
    assert unchanged["actions"] == ["restore the firewall of the containers: forwarding of IPv4 is off"]
    assert lan.sysctl("host", "ipv4/ip_forward") == "1"
    server = running_server(target.paths)
    assert server is not None
    signal_process(server, signal.SIGKILL)
    wait_until_gone(server, 10)
    named, quiet = target.run(target.volume(state="absent"), target.volume(state="absent"))
    assert named["actions"][0] == "serve the names of the containers again: the DNS server has ended"
    assert not quiet["changed"]
    assert running_server(target.paths) is not None


def test_a_network_that_becomes_isolated_is_so_at_once(harbour: Harbour, lan: Lan) -> None:
    """Also for connections that there are: but not for those from outside, by published ports, or those that
    it has begun itself.
    """
    names = ("web", "db")
    for name in names:
        create_network(harbour.engine, name, NetworkOptions(isolated=False))
    web = harbour.start("web", "sleep", "1000", network_mode="web")
    db = harbour.start("db", "sleep", "1000", network_mode="db", published_ports=ports("5432:5432"))
    places = {one.name: harbour.engine.paths.network_namespace(one.id) for one in (web, db)}
    addresses = {
        one.name: endpoints_of(harbour.engine.records.read(), one.id)[0].address(4) for one in (web, db)
    }
    with contextlib.ExitStack() as stack:
        ends = {}
        for name, place, listening, address, port in (
            ("stranger", places["web"], places["db"], addresses["db"], 5432),
            ("own", places["db"], places["web"], addresses["web"], 80),
            ("published", "neighbour", None, ADDRESSES["host"], 5432),
        ):
            if listening is not None:
                with lan.inside(listening):
                    server = stack.enter_context(socket.create_server(("0.0.0.0", port)))
            with lan.inside(place):
                client = stack.enter_context(socket.create_connection((address, port), 5))
            if name == "stranger":
                database = server
            ends[name] = client, stack.enter_context((server if listening else database).accept()[0])
        assert {name for name, pair in ends.items() if _passes(*pair)} == set(ends)
        update_network(harbour.engine, "db", NetworkOptions())
        assert {name for name, pair in ends.items() if _passes(*pair)} == {"own", "published"}
        assert lan.probe(places["web"], "tcp", addresses["db"], 5432) == "filtered"


def _passes(client: socket.socket, server: socket.socket) -> bool:
    for sender, receiver in ((client, server), (server, client)):
        sender.sendall(b"?")
        receiver.settimeout(1)
        try:
            receiver.recv(9)
        except TimeoutError:
            return False
    return True
