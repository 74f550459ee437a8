# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import host_files
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.host_files import (
    HostFiles,
    Resolver,
    contents,
    hosts_of_host,
    is_written,
    parse_resolv_conf,
    resolver_for_containers,
    resolver_of_host,
    update_host_files,
    write_host_files,
    write_in_place,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

LOCAL = len(host_files._LOCAL_HOSTS.splitlines())


def hosts(**said: t.Any) -> list[str]:
    """The lines after those of every container."""
    return contents(HostFiles("web", **said))["hosts"].splitlines()[LOCAL:]


# What they say


def test_no_network() -> None:
    files = contents(HostFiles("web"))
    assert files["hosts"].startswith("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
    assert files["hosts"].endswith("127.0.0.1\tweb\n")
    assert files["resolv.conf"] == ""
    assert files["hostname"] == "web\n"


def test_own_addresses_have_all_own_names() -> None:
    assert hosts(name="shop", addresses=("10.80.0.2", "fd00::2")) == [
        "10.80.0.2\tweb shop",
        "fd00::2\tweb shop",
    ]


def test_the_whole_name_comes_first() -> None:
    assert hosts(domainname="example.org") == ["127.0.0.1\tweb.example.org web"]
    lines = contents(HostFiles("www.example.org"))["hosts"].splitlines()
    assert lines[LOCAL:] == ["127.0.0.1\twww.example.org www"]


def test_names_of_the_host() -> None:
    assert hosts(addresses=("10.80.0.2",), host_addresses=("10.80.0.1", "fd00::1"))[1:] == [
        "10.80.0.1\thost.docker.internal host.containers.internal",
        "fd00::1\thost.docker.internal host.containers.internal",
    ]


def test_what_was_asked_for_comes_first() -> None:
    asked = {"db": "10.0.0.1", "gate": "host-gateway", "host.docker.internal": "10.0.0.2"}
    assert hosts(asked=asked, addresses=("10.80.0.2",), host_addresses=("10.80.0.1", "fd00::1")) == [
        "10.0.0.1\tdb",
        "10.80.0.1\tgate",
        "fd00::1\tgate",
        "10.0.0.2\thost.docker.internal",
        "10.80.0.2\tweb",
        "10.80.0.1\thost.containers.internal",
        "fd00::1\thost.containers.internal",
    ]


def test_others_come_last() -> None:
    assert hosts(others=[("10.80.0.3", ("db", "main"))]) == ["127.0.0.1\tweb", "10.80.0.3\tdb main"]


def test_the_hosts_own_file_has_only_what_was_asked_added() -> None:
    files = contents(HostFiles("web", hosts_of_host="10.0.0.1 db", asked={"x": "10.0.0.9"}))
    assert files["hosts"] == "10.0.0.1 db\n10.0.0.9\tx\n"


def test_resolver() -> None:
    servers = ("10.80.0.1", "192.0.2.1", "192.0.2.2", "192.0.2.3")
    files = contents(HostFiles("web", Resolver(servers, ("a.org", "b.org"), ("ndots:0", "rotate"))))
    assert files["resolv.conf"].splitlines() == [
        "nameserver 10.80.0.1",
        "nameserver 192.0.2.1",
        "nameserver 192.0.2.2",
        "search a.org b.org",
        "options ndots:0 rotate",
    ]


def test_a_lonely_dot_is_no_search_domain() -> None:
    assert contents(HostFiles("web", Resolver(search=(".",))))["resolv.conf"] == ""


@pytest.mark.parametrize("word", ["a\n1.2.3.4 bank", "a b", "a\tb", "ünder", "a\0b"])
def test_no_value_begins_another_line(word: str) -> None:
    for files in (
        HostFiles(word),
        HostFiles("web", addresses=(word,)),
        HostFiles("web", asked={word: "10.0.0.1"}),
        HostFiles("web", asked={"x": word}),
        HostFiles("web", others=[("10.0.0.1", (word,))]),
        HostFiles("web", Resolver(options=(word,))),
        HostFiles("web", Resolver(search=(word,))),
        HostFiles("web", Resolver(servers=(word,))),
    ):
        with pytest.raises(InvalidInput, match="cannot be written to"):
            contents(files)


# The host's own


@pytest.fixture
def etc(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(host_files, "_RESOLVED", str(tmp_path / "resolved"))
    etc = tmp_path / "etc"
    etc.mkdir()
    return etc


def test_resolver_of_the_host(etc: pathlib.Path) -> None:
    (etc / "resolv.conf").write_text(
        "# generated\nnameserver 127.0.0.53\nsearch a.org\ndomain b.org\noptions edns0 trust-ad\n"
    )
    assert resolver_of_host(str(etc)) == Resolver(("127.0.0.53",), ("b.org",), ("edns0", "trust-ad"))


def test_a_stub_is_replaced_by_what_is_behind_it(etc: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """G13."""
    (etc / "resolv.conf").write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch a.org\n")
    assert resolver_for_containers(str(etc)) == Resolver((), ("a.org",), ("edns0",))
    (tmp_path / "resolved").write_text("nameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver ::1\n")
    assert resolver_for_containers(str(etc)) == Resolver(("192.0.2.1",), ("a.org",), ("edns0",))


def test_servers_that_containers_reach_stay(etc: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "resolved").write_text("nameserver 192.0.2.1\n")
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\nnameserver 192.0.2.7\nnameserver 2001:db8::7\n")
    assert resolver_for_containers(str(etc)).servers == ("192.0.2.7", "2001:db8::7")


def test_a_host_without_files(etc: pathlib.Path) -> None:
    assert resolver_of_host(str(etc)) == Resolver()
    assert hosts_of_host(str(etc)) == host_files._LOCAL_HOSTS


def test_nonsense_is_left_out() -> None:
    text = "nameserver\nnameserver 10.0.0\nnameserver 10.0.0.1;x\nsearch\nöptions x\noptions a\noptions b\n"
    assert parse_resolv_conf(text) == Resolver(("10.0.0.1",), (), ("a", "b"))


# Writing


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "container"
    directory.mkdir()
    return directory


def test_modes_whatever_the_umask(directory: pathlib.Path) -> None:
    assert not is_written(str(directory))
    before = os.umask(0o077)
    try:
        write_host_files(str(directory), HostFiles("web"))
    finally:
        os.umask(before)
    for name in ("hosts", "hostname", "resolv.conf"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o644
    assert is_written(str(directory))


def test_the_same_file_says_something_else(directory: pathlib.Path) -> None:
    write_host_files(str(directory), HostFiles("web", others=[("10.80.0.3", ("db", "long-name" * 9))]))
    inode = (directory / "hosts").stat().st_ino
    with open(directory / "hosts") as reader:
        update_host_files(str(directory), HostFiles("web"))
        assert reader.read() == contents(HostFiles("web"))["hosts"]
    assert (directory / "hosts").stat().st_ino == inode


def test_what_the_container_wrote_stays_until_there_is_news(directory: pathlib.Path) -> None:
    write_host_files(str(directory), HostFiles("web"))
    (directory / "hosts").write_text("its own\n")
    update_host_files(str(directory), HostFiles("web", Resolver(("10.0.0.1",))))
    assert (directory / "hosts").read_text() == "its own\n"
    assert (directory / "resolv.conf").read_text() == "nameserver 10.0.0.1\n"
    update_host_files(str(directory), HostFiles("web", others=[("10.80.0.3", ("db",))]))
    assert (directory / "hosts").read_text().endswith("127.0.0.1\tweb\n10.80.0.3\tdb\n")
    (directory / "hosts").write_text("its own\n")
    write_host_files(str(directory), HostFiles("web"))
    assert (directory / "hosts").read_text().endswith("127.0.0.1\tweb\n")


@pytest.mark.parametrize("damage", ["", "nonsense", "[1]", '{"hosts": 1}'])
def test_damaged_digests(directory: pathlib.Path, damage: str) -> None:
    write_host_files(str(directory), HostFiles("web"))
    (directory / "host-files").write_text(damage)
    (directory / "hosts").write_text("its own\n")
    update_host_files(str(directory), HostFiles("web"))
    assert (directory / "hosts").read_text().endswith("127.0.0.1\tweb\n")


def test_a_reader_never_sees_the_end_of_the_old(
    directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = directory / "hosts"
    path.write_text("old " * 100)
    monkeypatch.setattr(os, "ftruncate", lambda _fd, _length: None)
    write_in_place(str(path), b"new", 0o644)
    assert path.read_text().rstrip("\n") == "new"


def test_a_container_cannot_make_us_write_much(directory: pathlib.Path) -> None:
    path = directory / "hosts"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    write_in_place(str(path), b"new", 0o644)
    assert path.read_bytes() == b"new"


def test_links_are_not_followed(tmp_path: pathlib.Path, directory: pathlib.Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (directory / "hosts").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_host_files(str(directory), HostFiles("web"))
    assert victim.read_text() == "precious"


def test_no_way_to_the_host(directory: pathlib.Path) -> None:
    files = HostFiles("web", asked={"gate": "host-gateway"})
    with pytest.raises(InvalidInput, match="no network on which it reaches the host"):
        write_host_files(str(directory), files)
    assert not any(directory.iterdir())
    update_host_files(str(directory), files)
    assert "gate" not in (directory / "hosts").read_text()
