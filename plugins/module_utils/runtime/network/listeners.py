# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Processes of the host that listen on a port. Looks at the network namespace of the calling thread."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import sys
import typing as t

_SCTP = getattr(socket, "IPPROTO_SCTP", 132)
_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, _SCTP),
}
_WAITING = {"tcp": "0A", "udp": "07"}  # TCP_LISTEN; an unconnected UDP socket is in TCP_CLOSE


class Listener(t.NamedTuple):
    """`process` is 0 when it cannot be seen: it belongs to the kernel, or has just ended."""

    address: str
    process: int
    name: str

    def __str__(self) -> str:
        return f"process {self.process} ({self.name})" if self.process else "another process"


def is_free(address: str, protocol: str, port: int) -> bool:
    """Could we listen there? Protocols and addresses that the host does not have are nobody's."""
    kind, number = _KINDS[protocol]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, kind | socket.SOCK_CLOEXEC, number) as sock:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if protocol == "tcp":
                # What a server that has ended leaves behind (TIME_WAIT) listens to nobody. For UDP the option
                # means something else.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True


def listeners_on(address: str, protocol: str, port: int) -> list[Listener]:
    """Who listens on this address, on every address, or, for an address that means every one, on any."""
    wanted = ipaddress.ip_address(address)
    found = {
        inode: bound
        for version in (4, 6)
        for bound, number, inode in _sockets(protocol, version)
        if number == port and _meet(wanted, bound)
    }
    owners = _owners(set(found)) if found else {}
    return [Listener(str(bound), *owners.get(inode, (0, ""))) for inode, bound in found.items()]


_Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def _meet(wanted: _Address, bound: _Address) -> bool:
    """A socket on `::` usually has the IPv4 addresses, too."""
    if wanted.version != bound.version:
        return wanted.version == 4 and int(bound) == 0
    return wanted == bound or int(wanted) == 0 or int(bound) == 0


def _sockets(protocol: str, version: int) -> t.Iterator[tuple[_Address, int, str]]:
    """Address, port and inode of sockets that wait for somebody. Source: proc(5), /proc/net/tcp."""
    suffix = "6" if version == 6 else ""
    try:
        with open(f"/proc/thread-self/net/{protocol}{suffix}", encoding="ascii") as lines:
            rows = [line.split() for line in lines][1:]  # the first are the headings
    except FileNotFoundError:
        return
    for row in rows:
        if row[3] == _WAITING[protocol]:
            address, _colon, port = row[1].partition(":")
            yield _address(address), int(port, 16), row[9]


def _address(text: str) -> _Address:
    """Words of 32 bits, each in the byte order of the machine."""
    words = [int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address


def _owners(inodes: set[str]) -> dict[str, tuple[int, str]]:
    """PID and name of a process that has the socket."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, tuple[int, str]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                inode = links.get(os.readlink(f"/proc/{pid}/fd/{fd}"))
                if inode is not None:
                    found.setdefault(inode, (int(pid), _name(pid)))
    return found


def _name(pid: str) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
