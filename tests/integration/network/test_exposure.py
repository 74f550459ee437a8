# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Who reaches what: every way that is meant to be open is, every other is not. Fresh, and after somebody has
flushed the host's ruleset and the table is repaired; with br_netfilter in the way and without.

    shop   on `web`, with published ports        peer   on `web`
    store  on `db`                               vault  on `deep`, which is internal; its ports lead nowhere
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import subprocess
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_published_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    endpoints_of,
    find_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.look_after_network import (
    lost_firewall,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_firewall import (
    update_firewall,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, ADDRESSES6, Lan, Probe

CLOSED = "closed"
NETWORKS = {"web": False, "db": False, "deep": True}
CONTAINERS: dict[str, tuple[str, list[str]]] = {
    "shop": (
        "web",
        ["8080:80", "8080:80/udp", "127.0.0.1:8081:80", "[::1]:8082:80", f"{ADDRESSES['host']}:8083:80"],
    ),
    "peer": ("web", []),
    "store": ("db", []),
    "vault": ("deep", ["9000:80"]),
}
FOREIGN = """
table inet theirs {
    chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 22 counter accept
    }
}
"""


class Shore:
    """The containers, and where they are. Each serves its name on ports 80 and 81, of which 80 is published
    or nobody's business but its network's.
    """

    def __init__(self, harbour: Harbour, lan: Lan) -> None:
        self.engine = harbour.engine
        self.lan = lan
        self.places: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.addresses6: dict[str, str] = {}
        for name, internal in NETWORKS.items():
            create_network(self.engine, name, NetworkOptions(ipv6=True, internal=internal))
        for name, (network, published) in CONTAINERS.items():
            ports = parse_published_ports(published, "published_ports")
            record = harbour.start(name, "sleep", "1000", network_mode=network, published_ports=ports)
            self.places[name] = self.engine.paths.network_namespace(record.id)
            [endpoint] = endpoints_of(self.engine.records.read(), record.id)
            self.addresses[name] = endpoint.address(4)
            self.addresses6[name] = endpoint.address(6)
            for port in (80, 81):
                for protocol in ("tcp", "udp"):
                    for address in ("0.0.0.0", "::"):
                        lan.serve(self.places[name], protocol, address, port, name)

    def routes_past_the_host(self) -> None:
        """The LAN sends what is for containers to the host, as anybody there could."""
        for name in NETWORKS:
            network = find_network(self.engine.records.read(), name)
            for pool in network.pools if network else ():
                via = (ADDRESSES if pool.version == 4 else ADDRESSES6)["host"]
                for place in ("neighbour", "router"):
                    self.lan.run(place, ["ip", "route", "add", pool.subnet, "via", via])
        self.lan.sysctl("neighbour", "ipv4/conf/all/route_localnet", "1")
        self.lan.run("neighbour", ["ip", "route", "add", "127.0.0.9/32", "via", ADDRESSES["host"]])


def expected(shore: Shore, loopback6: bool) -> dict[Probe, str]:
    host, host6 = ADDRESSES["host"], ADDRESSES6["host"]
    shop = "open:shop"
    found: dict[Probe, str] = {}
    for place in ("neighbour", "other"):
        for protocol in ("tcp", "udp"):
            found[place, protocol, host, 8080] = found[place, protocol, host6, 8080] = shop
        found[place, "tcp", host, 8083] = shop
        for address, port in (
            (host6, 8083),
            (host, 8081),
            (host6, 8082),
            (host, 80),
            (host, 81),
            (host, 9000),
        ):
            found[place, "tcp", address, port] = CLOSED
        for name in ("shop", "store", "vault"):
            for protocol in ("tcp", "udp"):
                found[place, protocol, shore.addresses[name], 80] = CLOSED
                found[place, protocol, shore.addresses6[name], 80] = CLOSED
    found["neighbour", "tcp", "127.0.0.9", 8080] = CLOSED
    for address in ("127.0.0.1", host, host6):
        found["host", "tcp", address, 8080] = shop
    for address, port in (("127.0.0.1", 8081), (host, 8083)):
        found["host", "tcp", address, port] = shop
    for port in (8080, 8082):
        found["host", "tcp", "::1", port] = shop if loopback6 else CLOSED
    for name in ("store", "vault"):
        found["host", "tcp", shore.addresses[name], 80] = f"open:{name}"
    for name in ("shop", "peer", "store"):
        place = shore.places[name]
        for protocol in ("tcp", "udp"):
            found[place, protocol, host, 8080] = found[place, protocol, host6, 8080] = shop
        found[place, "tcp", "127.0.0.1", 8081] = CLOSED
    for address in (shore.addresses["shop"], shore.addresses6["shop"]):
        found[shore.places["peer"], "tcp", address, 81] = shop
        for protocol in ("tcp", "udp"):
            found[shore.places["store"], protocol, address, 81] = CLOSED
    for name in ("shop", "store"):
        found[shore.places[name], "tcp", shore.addresses["vault"], 80] = CLOSED
    for place in ("neighbour", "other"):
        found[shore.places["shop"], "tcp", ADDRESSES[place], 7001] = "open:outside"
        found[shore.places["vault"], "tcp", ADDRESSES[place], 7001] = CLOSED
    for address in (host, _gateway(shore, "deep")):
        for port in (7000, 8080):
            found[shore.places["vault"], "tcp", address, port] = CLOSED
    return found


def _gateway(shore: Shore, name: str) -> str:
    network = find_network(shore.engine.records.read(), name)
    return network.gateway(4) if network else ""


def unexpected(shore: Shore, matrix: t.Mapping[Probe, str]) -> dict[Probe, tuple[str, str]]:
    """What was to be and what is, where they differ."""
    answers = zip(matrix, shore.lan.probe_all(list(matrix)))
    found = {probe: answer if answer.startswith("open:") else CLOSED for probe, answer in answers}
    return {probe: (wanted, found[probe]) for probe, wanted in matrix.items() if found[probe] != wanted}


def nft(*arguments: str, text: str | None = None) -> str:
    return subprocess.run(["nft", *arguments], input=text, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("bridge_netfilter", ["0", "1"])
def test_every_way_is_as_it_is_meant_to_be(harbour: Harbour, lan: Lan, bridge_netfilter: str) -> None:
    for name in ("iptables", "ip6tables"):
        lan.sysctl("host", f"bridge/bridge-nf-call-{name}", bridge_netfilter)
    nft("-f", "-", text=FOREIGN)
    theirs = nft("list", "table", "inet", "theirs")
    shore = Shore(harbour, lan)
    shore.routes_past_the_host()
    lan.serve("host", "tcp", "0.0.0.0", 7000, "service")
    for place in ("neighbour", "other"):
        lan.serve(place, "tcp", ADDRESSES[place], 7001, "outside")
    matrix = expected(shore, bridge_netfilter == "0")
    assert len(matrix) >= 70
    assert unexpected(shore, matrix) == {}
    assert nft("list", "table", "inet", "theirs") == theirs
    assert lost_firewall(harbour.engine) == ""
    nft("flush", "ruleset")
    assert "has gone" in lost_firewall(harbour.engine)
    update_firewall(harbour.engine)
    assert lost_firewall(harbour.engine) == ""
    assert unexpected(shore, matrix) == {}


def test_clients_from_outside_keep_their_address(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions(ipv6=True))
    ports = parse_published_ports(["8080:80"], "published_ports")
    record = harbour.start("web", "sleep", "1000", network_mode="web", published_ports=ports)
    place = harbour.engine.paths.network_namespace(record.id)
    served = [lan.serve(place, "tcp", address, 80, "web") for address in ("0.0.0.0", "::")]
    for client in ("neighbour", "other"):
        assert lan.probe(client, "tcp", ADDRESSES["host"], 8080) == "open:web"
        assert lan.probe(client, "tcp", ADDRESSES6["host"], 8080) == "open:web"
    seen = {str(peer) for one in served for peer in one.peers}
    assert seen == {places[client] for places in (ADDRESSES, ADDRESSES6) for client in ("neighbour", "other")}


def test_a_container_cannot_tell_the_host_its_routes(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions(ipv6=True))
    record = harbour.start("web", "sleep", "1000", network_mode="web")
    with lan.inside(harbour.engine.paths.network_namespace(record.id)):
        _advertise("2001:db8:66::")
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert "2001:db8:66:" not in lan.run("host", ["ip", "-6", "address"])
        assert "proto ra" not in lan.run("host", ["ip", "-6", "route"])
        time.sleep(0.1)


def _advertise(prefix: str) -> None:
    """A router advertisement with a default route and a prefix. Source: RFC 4861."""
    option = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + ipaddress.IPv6Address(prefix).packed
    message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
        sock.sendto(message, ("ff02::1", 0))
