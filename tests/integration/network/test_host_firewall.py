# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The host's own firewall in the way of containers: seen, said with what helps, opened for those who ask."""

from __future__ import annotations

import contextlib
import pathlib
import re
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
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.look_at_host_firewall import (
    host_firewall_warnings,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_network import (
    remove_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_firewall import (
    update_firewall,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_network import (
    update_network,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.network.dns import ask
from ansible_collections.coracle.engine.tests.integration.network.host_firewalls import (
    NFT,
    RULES,
    Ufw,
    advice,
    load_iptables,
    load_legacy,
    load_nft,
)
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, ADDRESSES6, Lan

HOST, HOST6 = ADDRESSES["host"], ADDRESSES6["host"]
PUBLISHED, OUT, NAMES = "published", "out", "names"


class Shop:
    """A container that serves on 80, published as 8080, and on 81, which is not."""

    def __init__(self, harbour: Harbour, lan: Lan, **options: t.Any) -> None:
        self.engine = harbour.engine
        self.lan = lan
        create_network(self.engine, "web", NetworkOptions(ipv6=True, **options))
        ports = parse_published_ports(["8080:80"], "published_ports")
        record = harbour.start("shop", "sleep", "1000", network_mode="web", published_ports=ports)
        self.place = self.engine.paths.network_namespace(record.id)
        [self.endpoint] = endpoints_of(self.engine.records.read(), record.id)
        for address in ("0.0.0.0", "::"):
            for port in (80, 81):
                lan.serve(self.place, "tcp", address, port, "shop")
        for address in (ADDRESSES["other"], ADDRESSES6["other"]):
            lan.serve("other", "tcp", address, 80, "outside")

    def ways(self, version: int = 4) -> set[str]:
        """What works."""
        host, other = (HOST, ADDRESSES["other"]) if version == 4 else (HOST6, ADDRESSES6["other"])
        found = {
            PUBLISHED: self.lan.probe("neighbour", "tcp", host, 8080, timeout=0.5) == "open:shop",
            OUT: self.lan.probe(self.place, "tcp", other, 80, timeout=0.5) == "open:outside",
        }
        return {name for name, works in found.items() if works}

    def names(self) -> bool:
        network = find_network(self.engine.records.read(), "web")
        assert network is not None
        answer = ask(self.lan, self.place, network.gateway(4), "shop", timeout=0.5)
        return answer == [self.endpoint.address(4)]

    def stays_closed(self) -> None:
        self.lan.run("neighbour", ["ip", "route", "add", "10.0.0.0/8", "via", HOST])
        assert self.lan.probe("neighbour", "tcp", HOST, 81, timeout=0.5) != "open:shop"
        address = self.endpoint.address(4)
        assert self.lan.probe("neighbour", "tcp", address, 80, timeout=0.5) == "filtered"

    def warnings(self) -> list[str]:
        return host_firewall_warnings(self.engine, ["web"])

    def close(self) -> None:
        remove_container(self.engine, "shop")
        remove_network(self.engine, "web")


def of_others(lan: Lan, shop: Shop) -> str:
    """All tables but the engine's, without counters."""
    text = lan.run("host", ["nft", "list", "ruleset"])
    text = re.sub(rf"table inet {shop.engine.paths.instance} \{{\n.*?\n\}}\n", "", text, flags=re.DOTALL)
    return re.sub(r"packets \d+ bytes \d+", "", text)


@pytest.mark.parametrize("kind", ["nft", "docker", "legacy", "ufw"])
def test_what_stops_containers_is_said_with_what_helps(
    harbour: Harbour, lan: Lan, tmp_path: pathlib.Path, kind: str
) -> None:
    shop = Shop(harbour, lan)
    assert (shop.ways(), shop.names(), shop.warnings()) == ({PUBLISHED, OUT}, True, [])
    prefix: list[str] = []
    with contextlib.ExitStack() as stack:
        if kind == "nft":
            load_nft(lan, NFT)
        elif kind == "docker":
            load_iptables(lan, "docker.rules")
        elif kind == "legacy":
            load_legacy(lan)
        else:
            prefix = stack.enter_context(Ufw(lan, tmp_path)).prefix
        before = of_others(lan, shop)
        assert (shop.ways(), shop.names()) == (set(), kind == "docker")
        warnings = shop.warnings()
        assert all(text.startswith("network web: the host's own firewall stops ") for text in warnings)
        assert ("their questions about names" in " ".join(warnings)) == (kind != "docker")
        owners = {"nft": "table inet mine", "docker": "Docker", "legacy": "iptables-legacy", "ufw": "ufw"}
        assert all(owners[kind] in text for text in warnings)
        update_firewall(shop.engine)
        assert of_others(lan, shop) == before
        for commands in advice(warnings):
            lan.run("host", [*prefix, "sh", "-c", commands])
        assert (shop.ways(), shop.ways(6), shop.names()) == ({PUBLISHED, OUT}, {PUBLISHED, OUT}, True)
        assert shop.warnings() == []
        shop.stays_closed()


def test_firewalld(harbour: Harbour, lan: Lan) -> None:
    """It lets in what has been redirected; the rest waits for the bridge to be in a zone that trusts it."""
    shop = Shop(harbour, lan)
    load_nft(lan, (RULES / "firewalld.nft").read_text())
    assert (shop.ways(), shop.names()) == ({PUBLISHED}, False)
    warnings = shop.warnings()
    web = find_network(shop.engine.records.read(), "web")
    assert web is not None
    bridge = f"--change-interface=cor-{web.id[:10]}"
    command = f"firewall-cmd --zone=trusted {bridge} && firewall-cmd --permanent --zone=trusted {bridge}"
    assert advice(warnings) == [command, command]
    assert not any("published" in text for text in warnings)
    lan.run("host", ["nft", "delete", "table", "inet", "firewalld"])
    load_nft(lan, (RULES / "firewalld-trusted.nft").read_text())
    assert (shop.ways(), shop.names(), shop.warnings()) == ({PUBLISHED, OUT}, True, [])


RULESETS = {
    "nothing": "",
    "by name": 'iifname "cor-*" accept\noifname "cor-*" accept',
    "one way": 'iifname "cor-*" accept',
    "the other way": 'oifname "cor-*" accept',
    "with answers": 'ct state established,related accept\niifname "cor-*" accept',
    "redirected": "ct state { established, related } accept\nct status dnat accept",
    "redirected ports": "ct state established accept\nct status dnat tcp dport { 70-90, 443 } accept",
    "other ports": "ct state established accept\nct status dnat tcp dport { 8000-8090, 443 } accept",
    "a map": 'ct state established accept\niifname vmap { "lo" : accept, "eth0" : jump lan }',
    "a map of others": 'ct state established accept\niifname vmap { "lo" : accept, "eth9" : jump lan }',
    "two keys": 'ct state established accept\niifname . meta l4proto { "eth0" . tcp, "eth1" . udp } accept',
    "goto": "ct state established accept\ngoto lan",
    "back from a chain": "jump nowhere\nct state established accept\njump lan",
    "by subnet": "ip daddr 10.0.0.0/8 accept\nip saddr 10.0.0.0/8 accept",
    "by another subnet": "ip daddr 172.16.0.0/12 accept\nip saddr 172.16.0.0/12 accept",
    "not to": 'oifname != "eth0" accept\niifname != "eth0" accept',
    "reject": 'ct state established accept\niifname "eth0" meta l4proto tcp reject\naccept',
    "reject the rest": 'ct state established accept\niifname "eth0" tcp dport 80 accept\nreject',
    "index": "iif eth0 accept\noif eth0 accept",
    "local": "ct state established accept\nfib daddr type local accept",
    "unicast": "ct state established accept\nfib daddr type unicast accept",
    "ranges of addresses": "ct state established accept\nip daddr { 10.80.0.0-10.99.255.255 } accept",
    "old style": "@nh,72,8 6 accept",
    "a limit": "ct state established accept\nlimit rate 1000/second accept",
}


def test_the_kernel_agrees(harbour: Harbour, lan: Lan) -> None:
    """What is said to be stopped is, and what is not said to be is not."""
    shop = Shop(harbour, lan)
    predicted, real = {}, {}
    for name, rules in RULESETS.items():
        load_nft(
            lan,
            "add table inet mine\ndelete table inet mine\ntable inet mine {\n"
            "chain lan {\ntcp dport 80 accept\n}\nchain nowhere {\nreturn\naccept\n}\n"
            f"chain forward {{\ntype filter hook forward priority 5; policy drop;\n{rules}\n}}\n}}\n",
        )
        warnings = " ".join(shop.warnings())
        predicted[name] = (
            {PUBLISHED} if "what comes for their published ports" not in warnings else set()
        ) | ({OUT} if "what its containers send to others" not in warnings else set())
        real[name] = shop.ways()
    # One of the two versions is enough for a warning, and rules for IPv4 leave IPv6 stopped.
    for name in ("by subnet", "ranges of addresses", "old style"):
        assert predicted.pop(name) <= real.pop(name)
    assert predicted == real
    assert set() in real.values()
    assert {PUBLISHED, OUT} in real.values()


@pytest.mark.parametrize("kind", ["nft", "docker", "legacy"])
def test_a_network_that_asks_for_it_is_let_through(harbour: Harbour, lan: Lan, kind: str) -> None:
    def load() -> None:
        if kind == "nft":
            load_nft(lan, NFT)
        elif kind == "docker":
            load_iptables(lan, "docker.rules")
        else:
            load_legacy(lan)

    def legacy_rules() -> str:
        return lan.run("host", ["iptables-legacy", "-S"]) + lan.run("host", ["ip6tables-legacy", "-S"])

    load()
    shop = Shop(harbour, lan, open_host_firewall=True)
    assert (shop.ways(), shop.names(), shop.warnings()) == ({PUBLISHED, OUT}, True, [])
    shop.stays_closed()
    opened = of_others(lan, shop), legacy_rules()
    update_firewall(shop.engine)
    assert (of_others(lan, shop), legacy_rules()) == opened
    update_network(shop.engine, "web", NetworkOptions(ipv6=True))
    assert (shop.ways(), shop.names()) == (set(), kind == "docker")
    closed = of_others(lan, shop), legacy_rules()
    assert shop.engine.paths.instance not in "".join(closed)
    update_network(shop.engine, "web", NetworkOptions(ipv6=True, open_host_firewall=True))
    assert (shop.ways(), lost_firewall(shop.engine)) == ({PUBLISHED, OUT}, "")
    if kind != "legacy":
        lan.run("host", ["nft", "flush", "ruleset"])
        update_firewall(shop.engine)
        load()
        assert (shop.ways(), lost_firewall(shop.engine)) == (
            set(),
            "the host's own firewall stops network web again",
        )
        update_firewall(shop.engine)
        assert (shop.ways(), lost_firewall(shop.engine)) == ({PUBLISHED, OUT}, "")
    shop.close()
    assert (of_others(lan, shop), legacy_rules()) == closed


def test_tasks_warn(target: Target, lan: Lan) -> None:
    network = {"name": "web", "root": target.paths.root, "run_root": target.paths.run_root}
    web = target.container(
        image=target.image, command=["sleep", "1000"], networks=[{"name": "web"}], published_ports=["8080:80"]
    )
    task = {"coracle.engine.network": network}
    load_nft(lan, NFT)
    made, started, again = target.run(task, web, web)
    opened, after = target.run({"coracle.engine.network": {**network, "open_host_firewall": True}}, web)
    assert not again["changed"]
    for result in (made, started, again):
        assert any("chain forward of table inet mine" in text for text in result["warnings"])
    assert "what comes for their published ports" in " ".join(started["warnings"])
    assert opened["actions"] == ["update network web: open_host_firewall is false, should be true"]
    assert opened["network"]["OpenHostFirewall"]
    assert "warnings" not in opened
    assert "warnings" not in after


def test_ports_on_the_loopback_of_ipv6(target: Target, lan: Lan) -> None:
    """They work, unless br_netfilter is in the way: then the task says so."""
    network = {
        "root": target.paths.root,
        "run_root": target.paths.run_root,
        "name": "web",
        "enable_ipv6": True,
    }
    web = target.container(
        image=target.image,
        command=["sleep", "1000"],
        networks=[{"name": "web"}],
        published_ports=["[::1]:80:80"],
    )
    lan.sysctl("host", "bridge/bridge-nf-call-ip6tables", "0")
    _made, fine = target.run({"coracle.engine.network": network}, web)
    lan.sysctl("host", "bridge/bridge-nf-call-ip6tables", "1")
    [told] = target.run(web)
    assert "warnings" not in fine
    assert not told["changed"]
    assert told["warnings"] == [
        "what is published on ::1 (port 80) cannot be reached: net.bridge.bridge-nf-call-ip6tables is 1 on"
        " this host (set it to 0, or publish on 127.0.0.1 or another address of the host)"
    ]
