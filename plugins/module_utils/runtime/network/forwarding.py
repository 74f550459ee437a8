# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Forwarding of packets, which networks that lead out of the host need, and which makes a host a router.

    <run root>/forwarding    JSON: by IP version, the interfaces there were when the engine switched
                             forwarding on; gone after a reboot, like the switch

Between those interfaces no packet got through before. The firewall table sees to it that this stays so: a
host does not become a router for its neighbours because it runs containers. What comes later (a VPN, another
engine's bridge) is not held up. With the last network forwarding is switched off again, unless something has
come that may rely on it.

All of it is done with the lock `network` held, in the network namespace of the calling thread. Source:
Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import typing as t

from ..linux.files import read_bounded, write_atomically
from .sysctls import ROOT, read_setting, write_setting

_SWITCH = {4: "ipv4/ip_forward", 6: "ipv6/conf/all/forwarding"}
_LARGEST = 1 << 16

Interfaces = dict[int, tuple[str, ...]]


def is_on(version: int) -> bool:
    """Also if the host has no such IP version: there is nothing to switch on."""
    return read_setting(_SWITCH[version]) != "0"


def remember_interfaces(record: str, versions: t.Iterable[int], own: t.Container[str]) -> None:
    """Before `switch_on`: which interfaces are there besides `own`. Does nothing where forwarding is on."""
    off = [version for version in versions if not is_on(version)]
    if off:
        known = recorded(record)
        known.update((version, foreign_interfaces(own)) for version in off)
        write_atomically(record, json.dumps(known).encode(), 0o600)


def switch_on(versions: t.Iterable[int]) -> None:
    for version in versions:
        if not is_on(version):
            if version == 6:
                _keep_learning_routes()
            write_setting(_SWITCH[version], "1")


def switch_off(record: str) -> None:
    """What the engine had switched on."""
    for version in recorded(record):
        write_setting(_SWITCH[version], "0")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record)


def recorded(record: str) -> Interfaces:
    """Empty if the engine has switched nothing on since the machine was started."""
    try:
        known = json.loads(read_bounded(record, _LARGEST))
    except FileNotFoundError:
        return {}
    return {int(version): tuple(names) for version, names in known.items()}


def foreign_interfaces(own: t.Container[str]) -> tuple[str, ...]:
    """Those that are not the engine's, nor the ends of pairs of its containers, nor the loopback."""
    names = (name for _index, name in socket.if_nameindex())
    return tuple(sorted(name for name in names if name != "lo" and name not in own and name[:3] != "cv-"))


def loopback6_works() -> bool:
    """Does an answer find its way back to `::1`?

    With br_netfilter it gets its destination back while it is still on the bridge, and the host's IPv6 input
    refuses `::1` from any device. Otherwise the route that the bridge has for it (bridges.py) leads it home.
    """
    return not is_bridged(6)


def is_bridged(version: int) -> bool:
    """Is netfilter asked about packets that only pass from one port of a bridge to another?"""
    name = {4: "iptables", 6: "ip6tables"}[version]
    return read_setting(f"bridge/bridge-nf-call-{name}") not in ("", "0")


def _keep_learning_routes() -> None:
    """A host that forwards ignores router advertisements where `accept_ra` is 1: interfaces that listened
    until now go on doing so.
    """
    for name in os.listdir(os.path.join(ROOT, "ipv6/conf")):
        if name not in ("all", "lo") and read_setting(f"ipv6/conf/{name}/accept_ra") == "1":
            write_setting(f"ipv6/conf/{name}/accept_ra", "2")
