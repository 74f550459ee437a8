# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Kernel settings of our own interfaces, below /proc/sys/net of the network namespace that the thread is in.
Source: Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import os

from ..errors import HostNotReady

_ROOT = "/proc/sys/net"


def settle_bridge(name: str, *, ipv6: bool) -> None:
    """Before it is up. Packets to 127.0.0.1 that the firewall redirects are let in (`route_localnet`), and
    nobody on it tells the host about routes or addresses.
    """
    _write(f"ipv4/conf/{name}/route_localnet", "1")
    # The stronger of this and `conf/all` counts, and 2 is the strongest: containers on several networks
    # answer the way they were asked.
    _write(f"ipv4/conf/{name}/rp_filter", "2")
    _settle_ipv6(name, ipv6)


def settle_port(name: str) -> None:
    """The host's end of a pair, before it is up: a port of a bridge has no addresses."""
    _settle_ipv6(name, False)


def settle_interface(name: str, *, ipv6: bool) -> None:
    """A container's interface, before it is up: as in the record and nothing else, and made known."""
    _write(f"ipv4/conf/{name}/arp_notify", "1")
    _settle_ipv6(name, ipv6)
    if ipv6:
        _write(f"ipv6/conf/{name}/ndisc_notify", "1")


def set_forwarding(name: str, allowed: bool, *, ipv6: bool) -> None:
    """May packets from the bridge go further than the host? Whether the host forwards at all is decided with
    the firewall (network/forwarding.py).
    """
    for version in ("ipv4", "ipv6") if ipv6 else ("ipv4",):
        _write(f"{version}/conf/{name}/forwarding", "1" if allowed else "0")


def _settle_ipv6(name: str, wanted: bool) -> None:
    place = f"ipv6/conf/{name}"
    if not os.path.isdir(os.path.join(_ROOT, place)):
        if wanted:
            raise HostNotReady("this kernel has no IPv6", "enable it, or leave enable_ipv6 out")
        return
    for setting in ("accept_ra", "accept_dad", "autoconf"):
        _write(f"{place}/{setting}", "0")
    _write(f"{place}/disable_ipv6", "0" if wanted else "1")


def _read(name: str) -> str:
    with open(os.path.join(_ROOT, name), encoding="ascii") as file:
        return file.read().strip()


def _write(name: str, value: str) -> None:
    """Only where it differs: a setting that somebody else made right need not be writable."""
    if _read(name) == value:
        return
    path = os.path.join(_ROOT, name)
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        setting = ".".join(("net", *name.split("/")))
        raise HostNotReady(
            f"cannot set {setting} to {value}: {error.strerror}", "set it on the host"
        ) from error
