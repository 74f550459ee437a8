# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import errno
import os
import socket
import struct
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import syscalls
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    in_network_namespace,
    remove_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.netlink import Netlink, Request

if t.TYPE_CHECKING:
    import pathlib

NEWLINK, DELLINK, GETLINK = 16, 17, 18
CREATE, EXCL = 0x400, 0x200
NAME, LINKINFO, KIND = 3, 18, 1


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def link(name: str, kind: str = "") -> bytes:
    body = bytes(16) + attribute(NAME, name.encode() + b"\0")
    return body + (attribute(LINKINFO, attribute(KIND, kind.encode())) if kind else b"")


def new(name: str, kind: str = "bridge", **fields: t.Any) -> Request:
    return Request(NEWLINK, CREATE | EXCL, link(name, kind), **fields)


def names(netlink: Netlink) -> list[str]:
    messages = netlink.dump(GETLINK, bytes(16))
    return sorted(name for name in ("lo", "a", "b", "c") if any(_has(data, name) for data in messages))


def _has(data: bytes, name: str) -> bool:
    return attribute(NAME, name.encode() + b"\0") in data


@pytest.fixture
def place(tmp_path: pathlib.Path) -> t.Iterator[str]:
    path = str(tmp_path / "n")
    create_network_namespace(path)
    yield path
    remove_network_namespace(path)


def test_requests_are_done_in_order_in_the_namespace_of_the_thread(place: str) -> None:
    with in_network_namespace(place, lambda: Netlink(socket.NETLINK_ROUTE)) as netlink:
        netlink.apply(new("a"), new("b"), Request(DELLINK, 0, link("a")))
        assert names(netlink) == ["b", "lo"]
    assert "b" not in [name for _index, name in socket.if_nameindex()]


def test_a_failure_is_told_in_words_and_the_others_are_done(place: str) -> None:
    with in_network_namespace(place, lambda: Netlink(socket.NETLINK_ROUTE)) as netlink:
        requests = [new("a"), new("b", "nonsense", doing="make b"), new("a", doing="make a again"), new("c")]
        with pytest.raises(OSError, match=r"make b: .*\(Unknown device type\)") as caught:
            netlink.apply(*requests)
        assert caught.value.errno == errno.EOPNOTSUPP
        assert names(netlink) == ["a", "c", "lo"]


def test_a_failure_may_be_fine(place: str) -> None:
    with in_network_namespace(place, lambda: Netlink(socket.NETLINK_ROUTE)) as netlink:
        netlink.apply(new("a"))
        netlink.apply(new("a", fine=(errno.EEXIST,)))
        with pytest.raises(FileExistsError):
            netlink.apply(new("a", fine=(errno.EPERM,)))


def test_one_answer(place: str) -> None:
    with in_network_namespace(place, lambda: Netlink(socket.NETLINK_ROUTE)) as netlink:
        [answer] = netlink.get(Request(GETLINK, 0, link("lo")))
        assert _has(answer, "lo")
        with pytest.raises(OSError, match="look: No such device"):
            netlink.get(Request(GETLINK, 0, link("a"), "look"))
        assert _has(netlink.get(Request(GETLINK, 0, link("lo")))[0], "lo")


def test_many_answers(place: str) -> None:
    """More than one message of the kernel can hold."""
    many = [new(f"link{number}") for number in range(200)]
    with in_network_namespace(place, lambda: Netlink(socket.NETLINK_ROUTE)) as netlink:
        netlink.apply(*many)
        assert len(netlink.dump(GETLINK, bytes(16))) == 201


def test_the_caller_stays_where_it_is(place: str) -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    inside = in_network_namespace(place, lambda: os.readlink("/proc/thread-self/ns/net"))
    assert inside != before
    assert os.readlink("/proc/thread-self/ns/net") == before
    with pytest.raises(ZeroDivisionError):
        in_network_namespace(place, lambda: 1 // 0)
    with pytest.raises(FileNotFoundError):
        in_network_namespace(place + "x", lambda: None)


def test_no_namespace_there(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="setns"):
        in_network_namespace(str(tmp_path / "file"), lambda: syscalls.prctl(0))
