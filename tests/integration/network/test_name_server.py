# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""aardvark-dns as it is installed here, told by us. Bridges and members are made by hand."""

from __future__ import annotations

import os
import pathlib
import signal
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    remove_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import (
    is_alive,
    wait_until_gone,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import name_server
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    BRIDGE,
    Endpoint,
    Member,
    Network,
    Pool,
    Snapshot,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.name_server import (
    Unserved,
    can_serve,
    end_server,
    is_lost,
    listening_addresses,
    running_server,
    serve,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.names import zones
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.network.dns import (
    NXDOMAIN,
    Upstream,
    ask,
    reverse,
)
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

Members = dict[str, dict[str, t.Any]]


class Town:
    """Networks on the host of the LAN, and members in namespaces of their own; everything that the server has
    to know of them.
    """

    def __init__(self, lan: Lan, paths: Paths) -> None:
        self.lan = lan
        self.paths = paths
        self.networks: dict[str, Network] = {}
        self.members: dict[str, Member] = {}
        self.endpoints: list[Endpoint] = []

    def network(self, name: str, number: int, **options: t.Any) -> Network:
        pools = (
            Pool(f"10.77.{number}.0/24", f"10.77.{number}.1"),
            Pool(f"fd77:{number}::/64", f"fd77:{number}::1"),
        )
        bridge = f"t-{name}"
        made = Network(name, f"{number:064x}", BRIDGE, "", pools, bridge=bridge, **options)
        self.networks[name] = made
        self.bridge(made)
        return made

    def bridge(self, network: Network) -> None:
        # With an address of its own: else it has that of a member, and another one when a member comes.
        lines = [f"link add {network.bridge} address 02:00:00:00:00:01 type bridge"]
        lines.append(f"link set {network.bridge} up")
        lines += [f"address add {pool.gateway}/24 dev {network.bridge}" for pool in network.pools[:1]]
        lines += [f"address add {pool.gateway}/64 dev {network.bridge} nodad" for pool in network.pools[1:]]
        self.lan.run("host", ["ip", "-batch", "-"], input="\n".join(lines))

    def member(self, name: str, number: int, *networks: str, **said: t.Any) -> str:
        """The path of its network namespace."""
        container_id = f"{number:x}".ljust(12, "c").ljust(64, "0")
        aliases = said.pop("aliases", ())
        self.members[name] = Member(container_id, name, **said)
        path = os.path.join(self.paths.netns, container_id)
        os.makedirs(self.paths.netns, exist_ok=True)
        create_network_namespace(path)
        for index, each in enumerate(networks):
            network = self.networks[each]
            addresses = [
                pool.gateway.rpartition(":" if ":" in pool.gateway else ".")[0:2] for pool in network.pools
            ]
            own = tuple(f"{''.join(prefix)}{number}" for prefix in addresses)
            with_length = tuple(f"{a}/{p.prefix_length}" for a, p in zip(own, network.pools))
            self.endpoints.append(
                Endpoint(container_id, each, os.urandom(32).hex(), f"eth{index}", with_length, "", aliases)
            )
            self._connect(path, network, f"v{number}-{index}", f"eth{index}", with_length)
        return path

    def _connect(self, path: str, network: Network, veth: str, interface: str, own: t.Sequence[str]) -> None:
        lines = [
            f"link add {veth} type veth peer name {interface} netns {path}",
            f"link set {veth} master {network.bridge} up",
        ]
        self.lan.run("host", ["ip", "-batch", "-"], input="\n".join(lines))
        lines = [f"address add {own[0]} dev {interface}", f"address add {own[1]} dev {interface} nodad"]
        self.lan.run(path, ["ip", "-batch", "-"], input="\n".join([*lines, f"link set {interface} up"]))

    def leave(self, name: str) -> None:
        gone = self.members.pop(name).container_id
        self.endpoints = [endpoint for endpoint in self.endpoints if endpoint.container_id != gone]

    def serve(self) -> list[Unserved]:
        members = {member.container_id: member for member in self.members.values()}
        snapshot = Snapshot("coracle", tuple(self.networks.values()), tuple(self.endpoints), (), members)
        listen = {network.id: listening_addresses(network) for network in self.networks.values()}
        return serve(self.paths, zones(snapshot, listen))

    def close(self) -> None:
        end_server(self.paths)
        cgroups.remove(self.paths.cgroup_parent)
        for name in os.listdir(self.paths.netns) if os.path.isdir(self.paths.netns) else ():
            remove_network_namespace(os.path.join(self.paths.netns, name))


@pytest.fixture
def town(lan: Lan, engine_roots: Paths) -> t.Iterator[Town]:
    town = Town(lan, engine_roots)
    yield town
    town.close()


def server_of(paths: Paths) -> t.Any:
    server = running_server(paths)
    assert server is not None
    return server


def test_names(town: Town) -> None:
    town.network("blue", 1)
    web = town.member("web", 2, "blue", aliases=("www", "Shop.Example"), hostname="Front")
    town.member("db", 3, "blue")
    assert town.serve() == []
    short = town.members["db"].short_id
    for name in ("db", "DB", short, "db.coracle.internal"):
        assert ask(town.lan, web, "10.77.1.1", name) == ["10.77.1.3"]
        assert ask(town.lan, web, "10.77.1.1", name, "AAAA") == ["fd77:1::3"]
        assert ask(town.lan, web, "fd77:1::1", name) == ["10.77.1.3"]
    for name in ("web", "www", "shop.example", "front"):
        assert ask(town.lan, web, "10.77.1.1", name) == ["10.77.1.2"]
    assert ask(town.lan, web, "10.77.1.1", "nobody.coracle.internal") == NXDOMAIN
    assert "db" in reverse(town.lan, web, "10.77.1.1", "10.77.1.3")
    assert "db" in reverse(town.lan, web, "10.77.1.1", "fd77:1::3")


def test_a_name_of_several(town: Town) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue", aliases=("pool",))
    town.member("b", 3, "blue", aliases=("pool",))
    town.serve()
    assert ask(town.lan, path, "10.77.1.1", "pool") == ["10.77.1.2", "10.77.1.3"]


def test_who_shares_no_network_knows_nothing(town: Town) -> None:
    town.network("blue", 1)
    town.network("red", 2)
    blue = town.member("a", 2, "blue")
    both = town.member("b", 3, "blue", "red")
    town.member("c", 4, "red", aliases=("cache",))
    assert town.serve() == []
    assert ask(town.lan, both, "10.77.1.1", "c") == ["10.77.2.4"]
    assert ask(town.lan, both, "10.77.2.1", "a") == ["10.77.1.2"]
    assert ask(town.lan, both, "10.77.1.1", "cache") == ["10.77.2.4"]
    for name in ("c.coracle.internal", "cache.coracle.internal"):
        assert ask(town.lan, blue, "10.77.1.1", name) == NXDOMAIN
    with Upstream(town.lan, "neighbour", ADDRESSES["neighbour"]) as upstream:
        town.networks["blue"] = town.networks["blue"]._replace(dns_servers=(ADDRESSES["neighbour"],))
        town.serve()
        assert ask(town.lan, blue, "10.77.1.1", "c") in (NXDOMAIN, [upstream.ANSWER])


def test_changes_are_there_when_it_returns(town: Town) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    town.serve()
    server = server_of(town.paths)
    for number in range(3, 33):
        town.member(f"m{number}", number, "blue")
        assert town.serve() == []
        assert ask(town.lan, path, "10.77.1.1", f"m{number}") == [f"10.77.1.{number}"]
    for number in range(3, 33):
        town.leave(f"m{number}")
        assert town.serve() == []
        assert ask(town.lan, path, "10.77.1.1", f"m{number}.coracle.internal") == NXDOMAIN
    assert is_alive(server)


def test_nothing_is_done_when_nothing_has_changed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.network("blue", 1)
    town.member("a", 2, "blue")
    town.serve()
    monkeypatch.setattr(name_server, "_refresh", None)
    assert town.serve() == []


def test_a_network_comes_and_goes(town: Town) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    town.serve()
    server = server_of(town.paths)
    town.network("red", 2)
    red = town.member("b", 3, "red")
    assert town.serve() == []
    assert ask(town.lan, red, "10.77.2.1", "b") == ["10.77.2.3"]
    town.leave("b")
    assert town.serve() == []
    assert ask(town.lan, red, "10.77.2.1", "b") == "refused"
    assert ask(town.lan, path, "10.77.1.1", "a") == ["10.77.1.2"]
    assert is_alive(server)


def test_a_bridge_that_is_not_there_yet(town: Town) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    ids = {"b": "b" * 64}
    pools = (Pool("10.77.2.0/24", "10.77.2.1"),)
    late = Network("red", f"{2:064x}", BRIDGE, "", pools, bridge="t-red")
    town.networks["red"] = late
    town.members["b"] = Member(ids["b"], "b")
    town.endpoints.append(Endpoint(ids["b"], "red", "e" * 64, "eth0", ("10.77.2.3/24",), ""))
    assert can_serve(town.paths, late)
    assert town.serve() == []
    assert ask(town.lan, path, "10.77.1.1", "a") == ["10.77.1.2"]
    town.bridge(late._replace(pools=(*late.pools, Pool("fd77:2::/64", "fd77:2::1"))))
    assert town.serve() == []
    assert ask(town.lan, "host", "10.77.2.1", "b") == ["10.77.2.3"]


def test_end(town: Town) -> None:
    town.network("blue", 1)
    town.member("a", 2, "blue")
    town.serve()
    server = server_of(town.paths)
    group = f"{town.paths.cgroup_parent}/dns"
    assert cgroups.processes(group) == [server.pid]
    town.leave("a")
    assert town.serve() == []
    assert not is_alive(server)
    assert not os.path.exists(town.paths.dns)
    assert not any(
        os.path.exists(os.path.join(hierarchy, group)) for hierarchy in cgroups.layout().hierarchies
    )
    assert not is_lost(town.paths)


def test_nothing_of_the_caller(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    town.network("blue", 1)
    town.member("a", 2, "blue")
    town.serve()
    os.close(writing)
    process = pathlib.Path(f"/proc/{server_of(town.paths).pid}")
    assert set(dict(pair.split("=", 1) for pair in _words(process / "environ"))) == {"PATH", "LANG"}
    assert os.getsid(int(process.name)) != os.getsid(0)
    assert os.readlink(process / "cwd") == "/"
    assert {os.readlink(process / "fd" / str(fd)) for fd in range(3)} == {"/dev/null"}
    assert os.read(reading, 1) == b""
    os.close(reading)
    own = {line.split(":", 2)[2] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()}
    theirs = {line.split(":", 2)[2] for line in (process / "cgroup").read_text().splitlines()}
    assert theirs <= {"/", f"/{town.paths.cgroup_parent}/dns"}, own


def _words(path: pathlib.Path) -> list[str]:
    return path.read_bytes().rstrip(b"\0").decode().split("\0")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_was_killed_comes_back(town: Town, signum: int) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    town.serve()
    server = server_of(town.paths)
    assert not is_lost(town.paths)
    os.kill(server.pid, signum)
    assert wait_until_gone(server, 5)
    assert is_lost(town.paths)
    assert town.serve() == []
    assert not is_lost(town.paths)
    assert ask(town.lan, path, "10.77.1.1", "a") == ["10.77.1.2"]


def test_the_pid_of_somebody_else(town: Town) -> None:
    """After a crash its number may be anybody's."""
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    config = pathlib.Path(town.paths.dns, "config")
    config.mkdir(parents=True)
    (config / "aardvark.pid").write_text(str(os.getpid()))
    assert town.serve() == []
    assert server_of(town.paths).pid != os.getpid()
    assert ask(town.lan, path, "10.77.1.1", "a") == ["10.77.1.2"]


@pytest.mark.parametrize("place", ["served", "new", "config/aardvark.pid", "config/x", f"config/{1:064x}"])
def test_files_of_a_crash(town: Town, place: str) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    file = pathlib.Path(town.paths.dns, place)
    file.parent.mkdir(parents=True)
    file.write_text("half a li")
    assert town.serve() == []
    assert ask(town.lan, path, "10.77.1.1", "a") == ["10.77.1.2"]


def test_a_lost_signal_is_sent_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    town.serve()
    town.member("b", 3, "blue")
    sent = []

    def losing(process: t.Any, signum: int) -> bool:
        sent.append(signum)
        return len(sent) == 1 or bool(os.kill(process.pid, signum) is None)

    monkeypatch.setattr(name_server, "signal_process", losing)
    assert town.serve() == []
    assert ask(town.lan, path, "10.77.1.1", "b") == ["10.77.1.3"]
    assert sent == [signal.SIGHUP] * 2
    monkeypatch.undo()


# Other questions


def test_the_networks_own_servers(town: Town) -> None:
    town.network("blue", 1, dns_servers=(ADDRESSES["neighbour"],))
    path = town.member("a", 2, "blue")
    other = town.member("b", 3, "blue", dns_servers=(ADDRESSES["router"],))
    town.serve()
    with (
        Upstream(town.lan, "neighbour", ADDRESSES["neighbour"]) as one,
        Upstream(town.lan, "router", ADDRESSES["router"]) as two,
    ):
        assert ask(town.lan, path, "10.77.1.1", "example.org") == [one.ANSWER]
        assert ask(town.lan, other, "10.77.1.1", "example.net") == [two.ANSWER]
    assert (one.asked, two.asked) == (["example.org"], ["example.net"])


def test_the_hosts_servers(town: Town) -> None:
    """Whatever the host of these tests is told in /etc/resolv.conf: on the LAN it is our own server."""
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.host_files import (
        resolver_of_host,
    )

    servers = [server for server in resolver_of_host().servers if ":" not in server]
    assert servers, "this test needs an IPv4 name server in /etc/resolv.conf"
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    town.serve()
    town.lan.run("host", ["ip", "address", "replace", f"{servers[0]}/32", "dev", "lo"])
    with Upstream(town.lan, "host", servers[0]) as upstream:
        assert ask(town.lan, path, "10.77.1.1", "example.org") == [upstream.ANSWER]
        assert ask(town.lan, path, "10.77.1.1", "nobody.coracle.internal") == NXDOMAIN
    assert upstream.asked == ["example.org"]


def test_internal_networks_do_not_leak(town: Town) -> None:
    """G13, CVE-2024-29018."""
    server = ADDRESSES["neighbour"]
    town.network("blue", 1, dns_servers=(server,))
    town.network("inner", 2, internal=True, dns_servers=(server,))
    inner = town.member("db", 2, "inner", dns_servers=(server,))
    both = town.member("web", 3, "inner", "blue")
    town.serve()
    with Upstream(town.lan, "neighbour", server) as upstream:
        for name in ("secret.example.org", "secret"):
            assert ask(town.lan, inner, "10.77.2.1", name, timeout=0.5) in (NXDOMAIN, "nothing")
        assert "web" in reverse(town.lan, inner, "10.77.2.1", "10.77.2.3")
        assert ask(town.lan, both, "10.77.1.1", "example.org") == [upstream.ANSWER]
        assert ask(town.lan, both, "10.77.1.1", "db") == ["10.77.2.2"]
        assert ask(town.lan, inner, "10.77.2.1", "web") == ["10.77.2.3"]
        time.sleep(0.1)
    assert upstream.asked == ["example.org"]


# Where it cannot be


def test_two_engines(town: Town, tmp_path: pathlib.Path) -> None:
    town.network("blue", 1)
    path = town.member("a", 2, "blue")
    town.serve()
    second = Town(town.lan, Paths(f"{town.paths.root}2", f"{town.paths.run_root}2"))
    try:
        second.network("red", 2)
        other = second.member("b", 3, "red")
        assert second.serve() == []
        assert ask(town.lan, other, "10.77.2.1", "b") == ["10.77.2.3"]
        assert server_of(town.paths) != server_of(second.paths)
    finally:
        second.close()
    assert ask(town.lan, path, "10.77.1.1", "a") == ["10.77.1.2"]


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_port_that_somebody_else_has(town: Town, protocol: str) -> None:
    blue = town.network("blue", 1)
    town.network("red", 2)
    town.member("a", 2, "blue")
    red = town.member("b", 3, "red")
    foreign = town.lan.serve("host", protocol, "10.77.1.1", 53, "not DNS")
    before = time.monotonic()
    assert town.serve() == [Unserved(blue.id, "port 53 there is in use by another program")]
    assert not can_serve(town.paths, blue)
    assert ask(town.lan, red, "10.77.2.1", "b") == ["10.77.2.3"]
    assert town.serve() != []
    assert time.monotonic() - before < 3  # nobody waits for an answer that cannot come
    foreign.close()
    assert town.serve() == []
    assert can_serve(town.paths, blue)


def test_everywhere_somebody_else(town: Town) -> None:
    blue = town.network("blue", 1)
    town.member("a", 2, "blue")
    town.serve()
    server = server_of(town.paths)
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until_gone(server, 5)
    foreign = town.lan.serve("host", "udp", "0.0.0.0", 53, "not DNS")
    assert [each.network_id for each in town.serve()] == [blue.id]
    assert running_server(town.paths) is None
    assert not is_lost(town.paths)
    foreign.close()
    assert town.serve() == []


def test_a_program_that_does_nothing(
    town: Town, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blue = town.network("blue", 1)
    town.member("a", 2, "blue")
    monkeypatch.setattr(name_server, "PLACES", (str(tmp_path),))
    assert town.serve() == [Unserved(blue.id, "aardvark-dns is not installed")]
    assert not os.path.exists(town.paths.dns)
    program = tmp_path / "aardvark-dns"
    program.write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    program.chmod(0o755)
    assert town.serve() == [Unserved(blue.id, "aardvark-dns: it is broken")]


def test_hostile_names(town: Town) -> None:
    """Values are checked where they come in; nothing hangs on it."""
    town.network("blue", 1)
    hostile = [
        "x\n6.6.6.6 6.6.6.6  bank",
        "x y",
        "a,b",
        "",
        ".",
        "a..b",
        "_coracle",
        "ü",
        "x" * 64,
        "-x",
        "a\0b",
    ]
    path = town.member("a", 2, "blue", aliases=(*hostile, "fine"), hostname="host\n10.77.1.9 ")
    town.member("b\n", 3, "blue")
    assert town.serve() == []
    assert ask(town.lan, path, "10.77.1.1", "fine") == ["10.77.1.2"]
    assert ask(town.lan, path, "10.77.1.1", "_coracle") != ["10.77.1.2"]
    assert ask(town.lan, path, "10.77.1.1", town.members["b\n"].short_id) == ["10.77.1.3"]
