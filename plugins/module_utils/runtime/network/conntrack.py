# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Connections that the kernel remembers after their published port has moved or closed.

The maps of the table decide on the first packet of a connection only; of UDP, which has no connections, a
client that goes on asking would keep the old answer for ever. So whoever changes the maps has the entries
forgotten that they would not make again (`following`); but for those of a container that drains: another one
has its ports, and it is to end what it has begun.

    <run root>/conntrack    JSON: the published ports that no entry contradicts, but for those of the draining
                            addresses, and the subnets of networks then; not there while the maps are being
                            changed, nor, of course, at first

A look at all entries takes the kernel ten milliseconds, however few there are. It is spared where ports of
TCP are added to those in the file: their connections begin with a packet that makes a new entry. A crash
between table and file leaves no file, and the next change looks at everything.

Source: linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import os
import socket
import struct
import typing as t

from ..errors import IntegrityError
from ..linux.files import read_bounded, write_all
from ..linux.netlink import Netlink, Request
from .firewall import Target
from .model import Network, PublishedPort
from .nftables import NETLINK_NETFILTER

_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_EVERY = {4: "0.0.0.0", 6: "::"}
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
_PROTOCOLS = {number: name for name, number in _NUMBERS.items()}
_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _ID, _ZONE = 1, 2, 3, 12, 18
_STATUS_MASK, _FILTER = 26, 25
_NESTED = 1 << 15
_DST_NAT = 1 << 5  # IPS_DST_NAT
_BY_PROTOCOL, _BY_PORT = 1 << 3, 1 << 5  # CTA_FILTER_F_CTA_PROTO_NUM, CTA_FILTER_F_CTA_PROTO_DST_PORT
_LARGEST = 1 << 24  # bytes of the file
_AT_ONCE = 100  # requests whose answers fit into a socket's buffer
_HEADERS = 16 + 4  # struct nlmsghdr, struct nfgenmsg
_TUPLE_LENGTHS: dict[int, int] = {socket.AF_INET: 52, socket.AF_INET6: 76}  # of a protocol with ports


class Connection(t.NamedTuple):
    """Where the first packet was sent, and who answers."""

    protocol: str
    asked: tuple[str, int]
    answers: tuple[str, int]


class Agreed(t.NamedTuple):
    """`leads`: protocol, address and port of the host, address and port of the container, sorted. `draining`:
    addresses of containers that may still have others.
    """

    leads: list[list[t.Any]]
    subnets: list[str]
    draining: t.Sequence[str] = ()


@contextlib.contextmanager
def following(
    record: str,
    leads: t.Mapping[PublishedPort, Target],
    networks: t.Sequence[Network],
    draining: t.Collection[str] = (),
) -> t.Iterator[None]:
    """The block makes the maps lead there; what the kernel remembers follows, but for what leads to the
    `draining` addresses. The lock `network` is held.
    """
    before = _read(record)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record)
    yield
    now = agreed(leads, networks, draining)
    if before is None or may_contradict(before, now):
        forget_stale(leads, networks, draining)
    _write(record, now)


def agreed(
    leads: t.Mapping[PublishedPort, Target], networks: t.Iterable[Network], draining: t.Iterable[str] = ()
) -> Agreed:
    return Agreed(
        sorted(
            [port.protocol, port.host_ip, port.host_port, target.address, port.container_port]
            for port, target in leads.items()
        ),
        sorted(str(pool.network) for network in networks for pool in network.pools),
        sorted(draining),
    )


def may_contradict(before: Agreed, now: Agreed) -> bool:
    """Can there be an entry that agreed with `before` and does not with `now`?

    Only if a port has gone or leads elsewhere, also for one address of the host; if addresses have become
    those of containers; if one does not drain any more; or if there are UDP ports, to which somebody may
    have sent something in vain.
    """
    old, new = set(map(tuple, before.leads)), set(map(tuple, now.leads))
    taken = {(protocol, port) for protocol, _address, port, *_target in old}
    return (
        not old <= new
        or not set(now.subnets) <= set(before.subnets)
        or not set(before.draining) <= set(now.draining)
        or any(protocol == "udp" for protocol, *_rest in new)
        or any((protocol, port) in taken for protocol, _address, port, *_target in new - old)
    )


def forget_stale(
    leads: t.Mapping[PublishedPort, Target], networks: t.Iterable[Network], draining: t.Collection[str] = ()
) -> None:
    """Have the kernel forget what contradicts the published ports."""
    stale = _Stale(leads, networks, draining)
    with Netlink(NETLINK_NETFILTER) as netlink:
        for question in _questions(leads):
            found = [_deletion(message) for message in _entries(netlink, question) if stale(message)]
            for at in range(0, len(found), _AT_ONCE):
                netlink.apply(*found[at : at + _AT_ONCE])


class _Stale:
    """Would the maps lead this connection elsewhere today? Asked of every entry, of which there may be ten
    thousands: what their clients differ in is not looked at.
    """

    def __init__(
        self,
        leads: t.Mapping[PublishedPort, Target],
        networks: t.Iterable[Network],
        draining: t.Collection[str],
    ) -> None:
        self._draining = draining
        self._leads = {
            (port.protocol, port.host_ip, port.host_port): (target.address, port.container_port)
            for port, target in leads.items()
        }
        self._subnets = [pool.network for network in networks for pool in network.pools]
        self._local: dict[str, bool] = {}
        self._known: dict[bytes, bool] = {}

    def __call__(self, message: bytes) -> bool:
        key = _distinction(message)
        found = self._known.get(key)
        if found is None:
            connection = _connection(message)
            found = self._known[key] = connection is not None and self._is_stale(connection)
        return found

    def _is_stale(self, connection: Connection) -> bool:
        if connection.answers[0] in self._draining:
            return False
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


def _questions(leads: t.Iterable[PublishedPort]) -> t.Iterator[bytes]:
    """Which entries are to be looked at: those that were redirected, and those of UDP ports, to which clients
    may have sent something while nobody had them. A kernel too old for a filter shows all.
    """
    redirected = struct.pack(">I", _DST_NAT)
    yield _attribute(_STATUS, redirected) + _attribute(_STATUS_MASK, redirected)
    ports = {port.host_port for port in leads if port.protocol == "udp"}
    if not ports:
        return
    flags, protocol = _BY_PROTOCOL, _attribute(1, struct.pack("B", _NUMBERS["udp"]))
    if len(ports) == 1:
        flags, protocol = flags | _BY_PORT, protocol + _attribute(3, struct.pack(">H", *ports))
    chosen = _attribute(1, struct.pack("=I", flags)) + _attribute(2, bytes(4))
    yield _nested(_TUPLE_ORIG, _nested(2, protocol)) + _nested(_FILTER, chosen)


def _entries(netlink: Netlink, question: bytes) -> list[bytes]:
    """Of both IP versions."""
    header = struct.pack(">BBH", socket.AF_UNSPEC, 0, 0)
    try:
        return netlink.dump(_GET, header + question)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        return netlink.dump(_GET, header)


def _distinction(message: bytes) -> bytes:
    """Protocol, address and port of who was asked and of who answers, from where they are in an entry as the
    kernel writes it; the whole entry, which is right for anything, where it looks otherwise.
    """
    family = message[16]
    length = _TUPLE_LENGTHS.get(family, 0)
    lengths = (message[_HEADERS : _HEADERS + 2], message[_HEADERS + length : _HEADERS + length + 2])
    if not length or lengths != (struct.pack("=H", length),) * 2:
        return message
    size = 4 if family == socket.AF_INET else 16
    source = _HEADERS + 12  # the headers of tuple, addresses and address
    target = source + size + 4
    protocol = target + size + 8
    return (
        message[target : target + size]
        + message[protocol : protocol + 1]
        + message[protocol + 16 : protocol + 18]
        + message[length + source : length + source + size]
        + message[length + protocol + 8 : length + protocol + 10]
    )


def _connection(message: bytes) -> Connection | None:
    attributes = dict(_attributes(message, _HEADERS))
    asked = _tuple(attributes[_TUPLE_ORIG])
    answers = _tuple(attributes[_TUPLE_REPLY])
    if asked is None or answers is None:
        return None
    return Connection(asked.protocol, asked.destination, answers.source)


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


def _deletion(message: bytes) -> Request:
    attributes = dict(_attributes(message, _HEADERS))
    body = struct.pack(">BBH", message[16], 0, 0) + _nested(_TUPLE_ORIG, attributes[_TUPLE_ORIG])
    for kind in (_ZONE, _ID):
        if kind in attributes:
            body += _attribute(kind, attributes[kind])
    return Request(_DELETE, 0, body, "forget a connection", (errno.ENOENT,))


# The file


def _read(record: str) -> Agreed | None:
    try:
        known = json.loads(read_bounded(record, _LARGEST))
        return Agreed(known["leads"], known["subnets"], known.get("draining", []))
    except (FileNotFoundError, ValueError, KeyError, TypeError, IntegrityError):
        return None


def _write(record: str, agreed_: Agreed) -> None:
    """After a power cut there are no connections any more, so it need not be synced."""
    new = f"{record}.new"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, json.dumps(agreed_._asdict()).encode())
    finally:
        os.close(fd)
    os.rename(new, record)


# Messages


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _attributes(data: bytes, at: int) -> t.Iterator[tuple[int, bytes]]:
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += max((length + 3) & ~3, 4)
