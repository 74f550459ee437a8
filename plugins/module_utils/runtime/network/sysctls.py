# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Kernel settings below /proc/sys/net of the network namespace that the thread is in, and those of our own
interfaces.

Source: Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import os

from ..errors import HostNotReady

ROOT = "/proc/sys/net"


def settle_bridge(name: str, *, ipv6: bool) -> None:
    """Before it is up. Packets to 127.0.0.1 that the firewall redirects are let in (`route_localnet`), and
    nobody on it tells the host about routes or addresses.
    """
    write_setting(f"ipv4/conf/{name}/route_localnet", "1")
    # The stronger of this and `conf/all` counts, and 2 is the strongest: containers on several networks
    # answer the way they were asked.
    write_setting(f"ipv4/conf/{name}/rp_filter", "2")
    _settle_ipv6(name, ipv6)


def settle_port(name: str) -> None:
    """The host's end of a pair, before it is up: a port of a bridge has no addresses."""
    _settle_ipv6(name, False)


def settle_interface(name: str, *, ipv6: bool) -> None:
    """A container's interface, before it is up: as in the record and nothing else, and made known."""
    write_setting(f"ipv4/conf/{name}/arp_notify", "1")
    _settle_ipv6(name, ipv6)
    if ipv6:
        write_setting(f"ipv6/conf/{name}/ndisc_notify", "1")


def set_forwarding(name: str, allowed: bool, *, ipv6: bool) -> None:
    """May packets from the bridge go further than the host? Whether the host forwards at all is decided with
    the firewall (network/forwarding.py).
    """
    for version in ("ipv4", "ipv6") if ipv6 else ("ipv4",):
        write_setting(f"{version}/conf/{name}/forwarding", "1" if allowed else "0")


def _settle_ipv6(name: str, wanted: bool) -> None:
    place = f"ipv6/conf/{name}"
    if not os.path.isdir(os.path.join(ROOT, place)):
        if wanted:
            raise HostNotReady("this kernel has no IPv6", "enable it, or leave enable_ipv6 out")
        return
    for setting in ("accept_ra", "accept_dad", "autoconf"):
        write_setting(f"{place}/{setting}", "0")
    write_setting(f"{place}/disable_ipv6", "0" if wanted else "1")


def read_setting(name: str) -> str:
    """`name` is a path below /proc/sys/net. Empty if the kernel has no such setting."""
    try:
        with open(os.path.join(ROOT, name), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def write_setting(name: str, value: str) -> None:
    """Only where it differs: a setting that somebody else made right need not be writable."""
    if read_setting(name) == value:
        return
    try:
        with open(os.path.join(ROOT, name), "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        setting = ".".join(("net", *name.split("/")))
        raise HostNotReady(
            f"cannot set {setting} to {value}: {error.strerror}", "set it on the host"
        ) from error
