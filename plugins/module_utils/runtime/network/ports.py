# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which port of the host leads to which container: reserved in the state file before anything is changed.

A port is taken by a container of the engine from its creation to its removal, running or not, or by any
process of the host that listens on it. Both are found here, and named. All functions work inside a
transaction of the caller: who loses the race for a port gets an error, never a second row.

What is wanted comes in the normal form of `published_ports` (container/port_values.py).
"""

from __future__ import annotations

import ipaddress
import random
import typing as t

from ..errors import Conflict
from .listeners import is_free, listeners_on
from .model import PublishedPort
from .records import container_name, delete_port, insert_port, list_networks, list_ports, ports_of

if t.TYPE_CHECKING:
    from ..state.database import Transaction

Wanted = t.Mapping[str, t.Any]

_EPHEMERAL = "/proc/sys/net/ipv4/ip_local_port_range"
_EVERY = ("0.0.0.0", "::")
_DNS_PORT = 53


def reserve_ports(
    transaction: Transaction, container_id: str, wanted: t.Sequence[Wanted], *, yields: str | None = None
) -> list[PublishedPort]:
    """Let the container have the ports that are wanted, and no others; the rows it has afterwards.

    What it has already stays, also a port that was chosen for it. Ports of the container `yields`, which it
    is about to replace, are no conflict; they are left to `take_over_ports`. Raises Conflict.
    """
    host = _Host(transaction, container_id, yields)
    kept: list[PublishedPort] = []
    for want in sorted(wanted, key=_narrow_first):
        if not host.promises(want):
            kept += host.rows_for(want, kept)
    for port in set(host.had).difference(kept):
        delete_port(transaction, port)
    for port in set(kept).difference(host.had):
        insert_port(transaction, port)
    return ports_of(transaction, container_id)


def take_over_ports(
    transaction: Transaction, old_id: str, new_id: str, wanted: t.Sequence[Wanted]
) -> list[PublishedPort]:
    """At the switch from one container to another: the old one loses its ports, the new one gets all it
    wants. A port that was chosen for the old one goes on leading to the same port of the new one.

    The same call with both swapped moves them back.
    """
    for port in ports_of(transaction, old_id):
        delete_port(transaction, port)
        insert_port(transaction, port._replace(container_id=new_id))
    return reserve_ports(transaction, new_id, wanted)


def _narrow_first(want: Wanted) -> tuple[bool, int]:
    """One certain port, then some ports, then any."""
    return want["host_port"] == 0, want["host_port_end"] - want["host_port"]


def _addresses(want: Wanted) -> tuple[str, ...]:
    return (want["host_ip"],) if want["host_ip"] else _EVERY


class _Host:
    """Who has which port now, as one container sees it."""

    def __init__(self, transaction: Transaction, container_id: str, yields: str | None) -> None:
        self.had = ports_of(transaction, container_id)
        self._id = container_id
        self._transaction = transaction
        self._promised: dict[tuple[str, int], list[PublishedPort]] = {}
        self._taken: dict[tuple[str, int], list[PublishedPort]] = {}
        for port in list_ports(transaction):
            if port.container_id != container_id:
                rows = self._promised if port.container_id == yields else self._taken
                rows.setdefault((port.protocol, port.host_port), []).append(port)

    def promises(self, want: Wanted) -> bool:
        """Will it be had from the container that is replaced?"""
        promised = [port for ports in self._promised.values() for port in ports]
        if _found(promised, want):
            return True
        certain = want["host_port"] == want["host_port_end"] != 0
        rows = self._promised.get((want["protocol"], want["host_port"]), ())
        return certain and any(_overlap(port.host_ip, ip) for port in rows for ip in _addresses(want))

    def rows_for(self, want: Wanted, own: t.Sequence[PublishedPort]) -> list[PublishedPort]:
        """What the container has of it already, or the first port that nobody has."""
        found = _found([port for port in self.had if port not in own], want)
        if found:
            return found
        holder = ""
        for number in _candidates(want):
            rows = [
                PublishedPort(self._id, ip, want["protocol"], number, want["container_port"])
                for ip in _addresses(want)
            ]
            holder = next(filter(None, (self._holder(row, own) for row in rows)), "")
            if not holder:
                return [row for row in rows if row not in own]
        raise _refused(want, holder)

    def _holder(self, row: PublishedPort, own: t.Sequence[PublishedPort]) -> str:
        """Who has this port of the host, in words; empty: nobody."""
        key = (row.protocol, row.host_port)
        for other in (*self._taken.get(key, ()), *self._promised.get(key, ())):
            if _overlap(other.host_ip, row.host_ip):
                return f"container {container_name(self._transaction, other.container_id)}"
        for other in own:
            same = (other.protocol, other.host_port) == key and _overlap(other.host_ip, row.host_ip)
            if same and other.container_port != row.container_port:
                return f"port {other.container_port}/{other.protocol} of the same container"
        if any(row[1:4] == port[1:4] for port in self.had):
            return ""
        return self._foreign_holder(row)

    def _foreign_holder(self, row: PublishedPort) -> str:
        """The engine's own DNS servers, on the gateways of networks, are in nobody's way."""
        if is_free(row.host_ip, row.protocol, row.host_port):
            return ""
        listeners = listeners_on(row.host_ip, row.protocol, row.host_port)
        if row.host_port == _DNS_PORT and listeners:
            gateways = {
                pool.gateway for network in list_networks(self._transaction) for pool in network.pools
            }
            listeners = [listener for listener in listeners if listener.address not in gateways]
            if not listeners:
                return ""
        return " and ".join(sorted({str(listener) for listener in listeners})) or "another process"


def _found(rows: t.Sequence[PublishedPort], want: Wanted) -> list[PublishedPort]:
    """Rows that fulfil it: the same port of the host on each address."""
    ports: dict[int, list[PublishedPort]] = {}
    addresses = _addresses(want)
    for row in rows:
        if (row.protocol, row.container_port) == (want["protocol"], want["container_port"]):
            in_range = want["host_port"] == 0 or want["host_port"] <= row.host_port <= want["host_port_end"]
            if in_range and row.host_ip in addresses:
                ports.setdefault(row.host_port, []).append(row)
    return next((found for found in ports.values() if len(found) == len(addresses)), [])


def _candidates(want: Wanted) -> t.Iterable[int]:
    if want["host_port"]:
        return range(want["host_port"], want["host_port_end"] + 1)
    with open(_EPHEMERAL, encoding="ascii") as file:
        first, last = map(int, file.read().split())
    # Not always the first: clients may still remember who had it a moment ago.
    middle = random.randint(first, last)
    return [*range(middle, last + 1), *range(first, middle)]


def _overlap(one: str, other: str) -> bool:
    if one == other:
        return True
    same_family = ipaddress.ip_address(one).version == ipaddress.ip_address(other).version
    return same_family and (one in _EVERY or other in _EVERY)


def _refused(want: Wanted, holder: str) -> Conflict:
    what = f"{want['container_port']}/{want['protocol']}"
    if want["host_port"] == 0:
        return Conflict(f"no port of the host is free for port {what}", "widen net.ipv4.ip_local_port_range")
    where = f"[{want['host_ip']}]:" if ":" in want["host_ip"] else f"{want['host_ip']}:".lstrip(":")
    if want["host_port"] != want["host_port_end"]:
        ports = f"{where}{want['host_port']}-{want['host_port_end']}/{want['protocol']}"
        return Conflict(f"all ports of {ports} are taken, the last one by {holder}", "publish on other ports")
    return Conflict(
        f"port {where}{want['host_port']}/{want['protocol']} is taken by {holder}",
        "publish on another port, or on an address that is still free",
    )
