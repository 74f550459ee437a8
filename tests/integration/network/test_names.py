# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers find each other by name: what the programs in them see, with and without a DNS server."""

from __future__ import annotations

import os
import pathlib
import signal
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import host_files
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import ContainerRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import (
    is_alive,
    wait_until_gone,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import name_server
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.name_server import running_server
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import endpoints_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.connect_network import (
    connect_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.disconnect_network import (
    disconnect_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.look_after_network import (
    lost_names,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    replace_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_names import (
    update_names,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import (
    IMAGE_NAME,
    Harbour,
    wait_until,
)
from ansible_collections.coracle.engine.tests.integration.network.dns import NXDOMAIN, Upstream, ask, reverse
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

WAIT = ("sleep", "1000")


@pytest.fixture
def no_server(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host on which aardvark-dns is not installed."""
    monkeypatch.setattr(name_server, "PLACES", (str(tmp_path),))


class Street:
    """A network, and what containers on it see."""

    def __init__(self, harbour: Harbour, lan: Lan) -> None:
        self.harbour = harbour
        self.lan = lan

    def network(self, name: str, **options: t.Any) -> str:
        """Its gateway."""
        return create_network(self.harbour.engine, name, NetworkOptions(**options)).gateway(4)

    def place(self, name: str) -> str:
        return f"{self.harbour.paths.netns}/{self.harbour.record(name).id}"

    def address(self, name: str, version: int = 4, network: str = "") -> str:
        endpoints = endpoints_of(self.harbour.engine.records.read(), self.harbour.record(name).id)
        return next(each for each in endpoints if network in ("", each.network)).address(version)

    def ask(self, place: str, server: str, name: str, kind: str = "A") -> list[str] | str:
        return ask(self.lan, self.place(place), server, name, kind)

    def inside(self, name: str, file: str) -> str:
        """A file as the container's program sees it."""
        return pathlib.Path(f"/proc/{self.harbour.status(name).pid}/root/etc/{file}").read_text()

    def hosts(self, name: str) -> dict[str, list[str]]:
        """Names by address, without those of every machine."""
        lines = [line.split() for line in self.inside(name, "hosts").splitlines()[6:]]
        return {address: names for address, *names in lines}

    @property
    def warnings(self) -> list[str]:
        return update_names(self.harbour.engine)


@pytest.fixture
def street(harbour: Harbour, lan: Lan) -> Street:
    return Street(harbour, lan)


def resolver(street: Street, name: str) -> list[str]:
    return street.inside(name, "resolv.conf").splitlines()


# With the DNS server


def test_programs_find_each_other(street: Street, harbour: Harbour) -> None:
    gateway = street.network("blue", ipv6=True)
    networks = [{"name": "blue", "aliases": ["www"]}]
    harbour.start("web", *WAIT, network_mode="blue", networks=networks, hostname="front")
    harbour.start("app", "nslookup", "web", network_mode="blue")
    harbour.wait_for("app", "exited")
    assert street.address("web") in harbour.output("app")
    harbour.start("db", *WAIT, network_mode="blue")
    web = street.address("web")
    for name in ("web", "www", "front", harbour.record("web").id[:12]):
        assert street.ask("db", gateway, name) == [web]
        assert street.ask("db", gateway, name, "AAAA") == [street.address("web", 6)]
    assert "web" in reverse(street.lan, street.place("db"), gateway, web)
    harbour.settled("app")
    wait_until(lambda: street.ask("web", gateway, "app.coracle.internal"), lambda found: found == NXDOMAIN)
    assert street.warnings == []


def test_the_server_comes_with_the_first_and_goes_with_the_last(street: Street, harbour: Harbour) -> None:
    street.network("blue")
    harbour.start("alone", *WAIT, network_mode="none")
    assert running_server(harbour.paths) is None
    harbour.start("a", *WAIT, network_mode="blue")
    server = running_server(harbour.paths)
    assert server is not None
    harbour.start("b", *WAIT, network_mode="blue")
    remove_container(harbour.engine, "a")
    assert is_alive(server)
    stop_container(harbour.engine, "b", timeout=0)
    harbour.settled("b")
    assert not is_alive(server)
    assert not os.path.exists(harbour.paths.dns)


def test_a_killed_server_is_started_by_the_next_task(street: Street, harbour: Harbour) -> None:
    gateway = street.network("blue")
    harbour.start("a", *WAIT, network_mode="blue")
    server = running_server(harbour.paths)
    assert server is not None
    assert lost_names(harbour.engine) == ""
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until_gone(server, 5)
    assert lost_names(harbour.engine) != ""
    assert harbour.run_python("verb('update_names')(engine)").returncode == 0
    assert lost_names(harbour.engine) == ""
    assert street.ask("a", gateway, "a") == [street.address("a")]


def test_names_follow_connections(street: Street, harbour: Harbour) -> None:
    blue, red = street.network("blue"), street.network("red")
    harbour.start("a", *WAIT, network_mode="blue")
    harbour.start("b", *WAIT, network_mode="red")
    assert street.ask("a", blue, "b.coracle.internal") == NXDOMAIN
    inode = os.stat(f"/proc/{harbour.status('a').pid}/root/etc/resolv.conf").st_ino
    connect_network(harbour.engine, "a", "red")
    assert street.ask("a", red, "b") == [street.address("b")]
    assert street.ask("b", red, "a") == [street.address("a", network="red")]
    assert resolver(street, "a")[:2] == [f"nameserver {blue}", f"nameserver {red}"]
    assert street.address("a", network="red") in street.hosts("a")
    disconnect_network(harbour.engine, "a", "blue")
    assert resolver(street, "a")[0] == f"nameserver {red}"
    assert street.ask("a", red, "a") == [street.address("a")]
    assert os.stat(f"/proc/{harbour.status('a').pid}/root/etc/resolv.conf").st_ino == inode


def test_a_replacement_is_not_known_before_the_other_has_stopped(street: Street, harbour: Harbour) -> None:
    gateway = street.network("blue")
    harbour.start("a", *WAIT, network_mode="blue")
    harbour.start("web", *WAIT, network_mode="blue")
    config = harbour.record("web").config
    new = replace_container(harbour.engine, "web", config, harbour.image, IMAGE_NAME, run=True, timeout=0)
    assert street.ask("a", gateway, "web") == [street.address("web")]
    assert harbour.record("web").id == new.id


def test_what_the_files_say(street: Street, harbour: Harbour) -> None:
    gateway = street.network("blue", dns_servers=(ADDRESSES["neighbour"],))
    harbour.start(
        "web",
        *WAIT,
        network_mode="blue",
        hostname="front",
        domainname="example.org",
        etc_hosts={"gate": "host-gateway", "mail": "192.0.2.25"},
        dns_search_domains=["example.org"],
        dns_opts=["timeout:3"],
    )
    assert resolver(street, "web") == [
        f"nameserver {gateway}",
        "search example.org",
        "options timeout:3 ndots:0",
    ]
    assert street.inside("web", "hostname") == "front\n"
    assert street.inside("web", "hosts").splitlines()[6:] == [
        f"{gateway}\tgate",
        "192.0.2.25\tmail",
        f"{street.address('web')}\tfront.example.org front web",
        f"{gateway}\thost.docker.internal host.containers.internal",
    ]
    harbour.start("app", "hostname", "-f", network_mode="blue", hostname="app", domainname="example.org")
    harbour.wait_for("app", "exited")
    assert harbour.output("app") == "app.example.org\n"


def test_files_survive_a_restart(street: Street, harbour: Harbour) -> None:
    street.network("blue")
    harbour.start("web", *WAIT, network_mode="blue")
    before = [street.inside("web", name) for name in ("hosts", "resolv.conf", "hostname")]
    pathlib.Path(f"/proc/{harbour.status('web').pid}/root/etc/hosts").write_text("its own\n")
    stop_container(harbour.engine, "web", timeout=0)
    harbour.start("web")
    assert [street.inside("web", name) for name in ("hosts", "resolv.conf", "hostname")] == before


def test_other_questions_go_where_was_asked(street: Street, harbour: Harbour) -> None:
    gateway = street.network("blue", dns_servers=(ADDRESSES["neighbour"],))
    harbour.start("a", *WAIT, network_mode="blue")
    harbour.start("b", *WAIT, network_mode="blue", dns_servers=[ADDRESSES["router"]])
    with (
        Upstream(street.lan, "neighbour", ADDRESSES["neighbour"]) as one,
        Upstream(street.lan, "router", ADDRESSES["router"]) as two,
    ):
        assert street.ask("a", gateway, "example.org") == [one.ANSWER]
        assert street.ask("b", gateway, "example.net") == [two.ANSWER]
    assert (one.asked, two.asked) == (["example.org"], ["example.net"])


def test_an_internal_network_leaks_no_question(street: Street, harbour: Harbour) -> None:
    """G13, CVE-2024-29018; also not under an address that nobody has."""
    server = ADDRESSES["neighbour"]
    gateway = street.network("inner", internal=True, dns_servers=(server,))
    other = street.network("blue", dns_servers=(server,))
    harbour.start("db", *WAIT, network_mode="inner", dns_servers=[server])
    harbour.start("app", *WAIT, network_mode="inner")
    harbour.start("web", *WAIT, network_mode="inner", networks=[{"name": "inner"}, {"name": "blue"}])
    place = street.place("db")
    with Upstream(street.lan, "neighbour", server) as upstream:
        assert street.ask("db", gateway, "app") == [street.address("app")]
        for asked in (gateway, other, server):
            found = ask(street.lan, place, asked, "secret.example.org", timeout=0.3)
            assert found in (NXDOMAIN, "nothing", "refused")
        stranger = gateway.rpartition(".")[0] + ".250"
        street.lan.run(place, ["ip", "address", "add", f"{stranger}/24", "dev", "eth0"])
        ask(street.lan, place, gateway, "secret.example.org", timeout=0.3, source=stranger)
        assert street.ask("web", other, "example.org") == [upstream.ANSWER]
    assert upstream.asked == ["example.org"]
    assert resolver(street, "db") == [f"nameserver {gateway}", "options ndots:0 timeout:1 attempts:2"]
    assert "host.docker.internal" not in street.inside("db", "hosts")


def test_a_network_without_names_has_the_hosts_servers(
    street: Street, harbour: Harbour, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """G13: not the address of systemd-resolved, which is the host's loopback."""
    real = tmp_path / "resolv.conf"
    real.write_text("nameserver 192.0.2.53\n")
    stub = host_files.parse_resolv_conf("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org\n")
    monkeypatch.setattr(host_files, "_RESOLVED", str(real))
    monkeypatch.setattr(host_files, "resolver_of_host", lambda _etc: stub)
    street.network("plain", dns=False)
    harbour.start("a", *WAIT, network_mode="plain")
    harbour.start("b", *WAIT, network_mode="plain", dns_servers=["192.0.2.99"], dns_search_domains=["."])
    assert resolver(street, "a") == ["nameserver 192.0.2.53", "search example.org", "options edns0"]
    assert resolver(street, "b") == ["nameserver 192.0.2.99", "options edns0"]
    assert running_server(harbour.paths) is None
    assert street.address("b") not in street.hosts("a")


def test_other_modes(street: Street, harbour: Harbour) -> None:
    street.network("blue")
    harbour.start("web", *WAIT, network_mode="blue", hostname="front")
    harbour.start("side", *WAIT, network_mode="container:web")
    harbour.start("none", *WAIT, network_mode="none")
    harbour.start("host", *WAIT, network_mode="host", etc_hosts={"gate": "host-gateway"})
    for name in ("hosts", "resolv.conf", "hostname"):
        assert street.inside("side", name) == street.inside("web", name)
    assert resolver(street, "none") == []
    assert street.hosts("none") == {"127.0.0.1": [harbour.record("none").id[:12], "none"]}
    assert street.inside("host", "hosts") == pathlib.Path("/etc/hosts").read_text() + "127.0.0.1\tgate\n"


def test_no_way_to_the_host(street: Street, harbour: Harbour) -> None:
    street.network("inner", internal=True)
    with pytest.raises(InvalidInput, match="no network on which it reaches the host"):
        harbour.start("a", *WAIT, network_mode="inner", etc_hosts={"gate": "host-gateway"})


# Without it


@pytest.mark.usefixtures("no_server")
def test_hosts_files_say_the_names(street: Street, harbour: Harbour) -> None:
    street.network("blue")
    street.network("red")
    harbour.start("a", *WAIT, network_mode="blue")
    file = f"/proc/{harbour.status('a').pid}/root/etc/hosts"
    inode = os.stat(file).st_ino
    networks = [{"name": "blue", "aliases": ["www"]}]
    record = harbour.start("web", *WAIT, network_mode="blue", networks=networks)
    harbour.start("stranger", *WAIT, network_mode="red")
    assert street.hosts("a")[street.address("web")] == ["web", "www", record.id[:12]]
    assert street.hosts("web")[street.address("a")] == ["a", harbour.record("a").id[:12]]
    assert street.address("stranger") not in street.hosts("a")
    assert "nameserver " + street.address("a").rpartition(".")[0] not in street.inside("a", "resolv.conf")
    harbour.start("app", "ping", "-c1", "www", network_mode="blue")
    harbour.wait_for("app", "exited")
    assert f"({street.address('web')})" in harbour.output("app")  # if it may ping or not
    remove_container(harbour.engine, "web")
    assert all("web" not in names for names in street.hosts("a").values())
    assert os.stat(file).st_ino == inode
    warnings = street.warnings
    assert [warning.partition(",")[0] for warning in warnings] == [
        "network blue: aardvark-dns is not installed",
        "network red: aardvark-dns is not installed",
    ]


def test_when_the_server_comes_later(
    street: Street, harbour: Harbour, no_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = street.network("blue")
    harbour.start("a", *WAIT, network_mode="blue")
    harbour.start("b", *WAIT, network_mode="blue")
    assert street.address("b") in street.hosts("a")
    monkeypatch.undo()
    assert street.warnings == []
    assert street.address("b") not in street.hosts("a")
    assert resolver(street, "a")[0] == f"nameserver {gateway}"


def test_a_port_that_somebody_else_has(street: Street, harbour: Harbour) -> None:
    foreign = street.lan.serve("host", "udp", "0.0.0.0", 53, "not DNS")
    street.network("blue")
    harbour.start("a", *WAIT, network_mode="blue")
    harbour.start("b", *WAIT, network_mode="blue")
    assert street.address("b") in street.hosts("a")
    assert "port 53 there is in use by another program" in street.warnings[0]
    foreign.close()
    assert street.warnings == []
    assert street.address("b") not in street.hosts("a")


def test_links(street: Street, harbour: Harbour) -> None:
    """Names that only one container knows, whoever serves the others."""
    street.network("blue")
    harbour.start("db", *WAIT, network_mode="blue")
    networks = [{"name": "blue", "links": [["db", "store"]]}]
    harbour.start("web", *WAIT, network_mode="blue", networks=networks)
    assert street.hosts("web")[street.address("db")] == ["store"]
    assert street.address("web") not in street.hosts("db")
    config = harbour.record("db").config
    replace_container(harbour.engine, "db", config, harbour.image, IMAGE_NAME, run=True, timeout=0)
    assert street.hosts("web")[street.address("db")] == ["store"]
    stop_container(harbour.engine, "db", timeout=0)
    assert ["store"] not in street.hosts("web").values()


# Files of the host


@pytest.mark.parametrize("name", ["hosts", "resolv.conf", "hostname"])
@pytest.mark.parametrize("kind", ["absolute", "relative", "directory above"])
def test_links_in_the_image_stay_inside(
    street: Street, harbour: Harbour, tmp_path: pathlib.Path, name: str, kind: str
) -> None:
    """C6: the file is mounted on what the link means in the container, never on the host's."""
    victim = tmp_path / name
    victim.write_text("precious\n")
    street.network("blue")
    record: ContainerRecord = harbour.create("web", *WAIT, network_mode="blue")
    harbour.start("web")
    stop_container(harbour.engine, "web", timeout=0)
    harbour.settled("web")
    upper = pathlib.Path(harbour.paths.container(record.id), "upper")
    etc = upper / "etc"
    if kind == "directory above":
        for each in etc.iterdir() if etc.is_dir() else ():
            each.unlink()
        if etc.is_dir():
            etc.rmdir()
        etc.symlink_to(tmp_path)
        (upper / str(tmp_path)[1:]).mkdir(parents=True)
    else:
        etc.mkdir(exist_ok=True)
        (etc / name).unlink(missing_ok=True)
        (etc / name).symlink_to(victim if kind == "absolute" else "../" * 20 + str(victim)[1:])
    harbour.start("web")
    pid = harbour.status("web").pid
    assert victim.read_text() == "precious\n"
    seen = pathlib.Path(f"/proc/{pid}/mountinfo").read_text()
    assert f"/containers/{record.id}/{name} " in seen or f"//deleted/{record.id}" in seen
    hosts_of_ours = pathlib.Path("/proc/self/mountinfo").read_text()
    assert str(victim) not in hosts_of_ours


def test_hostile_names_are_values(street: Street, harbour: Harbour) -> None:
    """E6: whatever comes past the parsers ends here."""
    street.network("blue")
    harbour.start("a", *WAIT, network_mode="blue")
    with pytest.raises(InvalidInput, match="cannot be written"):
        harbour.start("web", *WAIT, network_mode="blue", hostname="x\n6.6.6.6 bank")
    assert "bank" not in street.inside("a", "hosts")
    assert not list(pathlib.Path(harbour.paths.dns, "config").glob("*bank*"))
