# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Connections that the kernel remembers after their published port has moved or closed.

The maps of the table decide on the first packet of a connection only; of UDP, which has no connections, a
client that goes on asking would keep the old answer for ever. So whoever changes the maps has the entries
forgotten that they would not make again. Source: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
import typing as t

from ..linux.netlink import Netlink, Request
from .firewall import Target
from .model import Network, PublishedPort
from .nftables import NETLINK_NETFILTER

_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK
_DUMP_HEADER = 16
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_EVERY = {4: "0.0.0.0", 6: "::"}
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
_PROTOCOLS = {number: name for name, number in _NUMBERS.items()}
_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _ID, _ZONE = 1, 2, 3, 12, 18
_STATUS_MASK, _FILTER = 26, 25
_NESTED = 1 << 15
_DST_NAT = 1 << 5  # IPS_DST_NAT
_BY_PROTOCOL_AND_PORT = 1 << 3 | 1 << 5  # CTA_FILTER_F_CTA_PROTO_NUM, CTA_FILTER_F_CTA_PROTO_DST_PORT


class Connection(t.NamedTuple):
    """Where the first packet was sent, and who answers. `key` names the entry to the kernel."""

    protocol: str
    asked: tuple[str, int]
    answers: tuple[str, int]
    key: bytes


def forget_stale(leads: t.Mapping[PublishedPort, Target], networks: t.Iterable[Network]) -> int:
    """Have the kernel forget what contradicts the published ports; how many connections that were."""
    stale = _Stale(leads, networks)
    forgotten = 0
    with Netlink(NETLINK_NETFILTER) as netlink:
        for version in _FAMILIES:
            for question in _questions(version, leads):
                for connection in _connections(netlink, version, question):
                    if stale(connection):
                        forgotten += _forget(netlink, version, connection)
    return forgotten


class _Stale:
    """Would the maps lead this connection elsewhere today?"""

    def __init__(self, leads: t.Mapping[PublishedPort, Target], networks: t.Iterable[Network]) -> None:
        self._leads = {
            (port.protocol, port.host_ip, port.host_port): (target.address, port.container_port)
            for port, target in leads.items()
        }
        self._subnets = [pool.network for network in networks for pool in network.pools]
        self._local: dict[str, bool] = {}

    def __call__(self, connection: Connection) -> bool:
        now = self._lead(connection)
        if connection.answers != connection.asked:
            return self._is_container(connection.answers[0]) and connection.answers != now
        return now is not None and connection.protocol == "udp" and self._is_local(connection.asked[0])

    def _lead(self, connection: Connection) -> tuple[str, int] | None:
        address, port = connection.asked
        every = _EVERY[6 if ":" in address else 4]
        exact = self._leads.get((connection.protocol, address, port))
        return exact or self._leads.get((connection.protocol, every, port))

    def _is_container(self, address: str) -> bool:
        found = ipaddress.ip_address(address)
        return any(found in subnet for subnet in self._subnets)

    def _is_local(self, address: str) -> bool:
        if address not in self._local:
            family = _FAMILIES[6 if ":" in address else 4]
            with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                self._local[address] = True
                try:
                    sock.bind((address, 0))
                except OSError:
                    self._local[address] = False
        return self._local[address]


def _questions(version: int, leads: t.Iterable[PublishedPort]) -> t.Iterator[bytes]:
    """Which entries are to be looked at: those that were redirected, and those of UDP ports, to which clients
    may have sent something while nobody had them. A kernel too old for a filter shows all.
    """
    yield _attribute(_STATUS, struct.pack(">I", _DST_NAT)) + _attribute(
        _STATUS_MASK, struct.pack(">I", _DST_NAT)
    )
    of_version = (port for port in leads if (":" in port.host_ip) == (version == 6))
    for number in sorted({port.host_port for port in of_version if port.protocol == "udp"}):
        protocol = _attribute(1, struct.pack("B", _NUMBERS["udp"])) + _attribute(3, struct.pack(">H", number))
        flags = _attribute(1, struct.pack("=I", _BY_PROTOCOL_AND_PORT)) + _attribute(2, bytes(4))
        yield _nested(_TUPLE_ORIG, _nested(2, protocol)) + _nested(_FILTER, flags)


def _connections(netlink: Netlink, version: int, question: bytes) -> t.Iterator[Connection]:
    header = struct.pack(">BBH", _FAMILIES[version], 0, 0)
    try:
        messages = netlink.dump(_GET, header + question)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        messages = netlink.dump(_GET, header)
    for message in messages:
        connection = _connection(message)
        if connection is not None:
            yield connection


def _connection(message: bytes) -> Connection | None:
    attributes = dict(_attributes(message, _DUMP_HEADER + 4))
    asked = _tuple(attributes[_TUPLE_ORIG])
    answers = _tuple(attributes[_TUPLE_REPLY])
    if asked is None or answers is None:
        return None
    key = _nested(_TUPLE_ORIG, attributes[_TUPLE_ORIG])
    for kind in (_ZONE, _ID):
        if kind in attributes:
            key += _attribute(kind, attributes[kind])
    return Connection(asked.protocol, asked.destination, answers.source, key)


class _Ends(t.NamedTuple):
    protocol: str
    source: tuple[str, int]
    destination: tuple[str, int]


def _tuple(data: bytes) -> _Ends | None:
    """None for protocols without ports."""
    parts = dict(_attributes(data, 0))
    addresses = dict(_attributes(parts[1], 0))
    protocol = dict(_attributes(parts[2], 0))
    name = _PROTOCOLS.get(protocol[1][0])
    if name is None:
        return None
    ports = [int.from_bytes(protocol[kind], "big") for kind in (2, 3)]
    ends = [str(ipaddress.ip_address(addresses[kind])) for kind in sorted(addresses)]
    return _Ends(name, (ends[0], ports[0]), (ends[1], ports[1]))


def _forget(netlink: Netlink, version: int, connection: Connection) -> int:
    header = struct.pack(">BBH", _FAMILIES[version], 0, 0)
    with contextlib.suppress(FileNotFoundError):
        netlink.apply(Request(_DELETE, 0, header + connection.key, "forget a connection"))
        return 1
    return 0


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _attributes(data: bytes, at: int) -> t.Iterator[tuple[int, bytes]]:
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += max((length + 3) & ~3, 4)
