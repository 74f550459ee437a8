# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is asked of a network, in normal form, and the network that follows from it with what was chosen."""

from __future__ import annotations

import typing as t

from .model import BRIDGE, Network, Pool, Route, bridge_name


class NetworkOptions(t.NamedTuple):
    """As the fields of `Network`; `pools` are those that were named, `ipv4` and `ipv6` whether there is to
    be one of that version at all, and `bridge` is empty where any name will do.
    """

    driver: str = BRIDGE
    pools: tuple[Pool, ...] = ()
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    isolated: bool = True
    dns: bool = True
    dns_servers: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    labels: t.Mapping[str, str] = {}
    bridge: str = ""
    parent: str = ""
    vlan: int = 0
    mode: str = ""
    mtu: int = 0
    open_host_firewall: bool = False

    def to_json(self) -> dict[str, t.Any]:
        """What differs from the defaults."""
        document = {
            **self._asdict(),
            "pools": [pool._asdict() for pool in self.pools],
            "routes": [route._asdict() for route in self.routes],
            "dns_servers": list(self.dns_servers),
            "labels": dict(self.labels),
        }
        defaults: dict[str, t.Any] = {**self._field_defaults, "pools": [], "routes": [], "dns_servers": []}
        return {name: value for name, value in document.items() if value != defaults[name]}


def network_from(
    name: str, options: NetworkOptions, pools: tuple[Pool, ...], network_id: str, created: str
) -> Network:
    """`network_id` is empty for one that is yet to be made."""
    bridge = options.bridge
    if options.driver == BRIDGE and network_id:
        bridge = bridge or bridge_name(network_id)
    return Network(
        name=name,
        id=network_id,
        driver=options.driver,
        created=created,
        pools=pools,
        internal=options.internal,
        isolated=options.isolated,
        dns=options.dns,
        dns_servers=options.dns_servers,
        routes=options.routes,
        labels=options.labels,
        bridge=bridge,
        parent=options.parent,
        vlan=options.vlan,
        mode=options.mode,
        mtu=options.mtu,
        open_host_firewall=options.open_host_firewall,
        asked=options.to_json(),
    )


def named_subnets(network: Network) -> set[str]:
    """The subnets that were asked for by name; the others were chosen."""
    return {pool["subnet"] for pool in network.asked.get("pools", ())}


_OF_LINKS = ("driver", "internal", "bridge", "parent", "vlan", "mode", "mtu")


def has_other_links(before: Network, after: Network) -> bool:
    """Is more than a record, a rule or a route needed to make one of the other?"""
    if any(getattr(before, name) != getattr(after, name) for name in _OF_LINKS):
        return True
    return has_other_places(before, after)


def has_other_places(before: Network, after: Network) -> bool:
    """Are subnets or gateways others?"""
    then, now = ([pool[:2] for pool in network.pools] for network in (before, after))
    return then != now


def driver_options(network: Network) -> dict[str, str]:
    """Those that say something, under their shortest names."""
    options = {
        "bridge": "" if network.bridge == bridge_name(network.id) else network.bridge,
        "isolate": "" if network.isolated else "false",
        "mode": network.mode,
        "mtu": str(network.mtu or ""),
        "parent": network.parent,
        "vlan": str(network.vlan or ""),
    }
    return {name: value for name, value in options.items() if value}
