# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The host's side of networks: their bridges, and the VLAN links that macvlan and ipvlan stand on.

They are made when the first container connects and carry the tag `<instance>:<network id>` as alias, which
tells whose they are. A link is made under a name that comes from the network's id and gets tag and address in
one go: what a crash leaves is found by name, or by tag (`sweep_links`).
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import typing as t

from ..errors import Conflict, CoracleError, HostNotReady, InvalidInput
from . import sysctls
from .links import Link, Links
from .model import BRIDGE, Network, Snapshot, bridge_name

_USUAL_MTU = 1500
_LONGEST_NAME = 15  # bytes, of an interface


def tag(instance: str, owner: str) -> str:
    """The alias of a link that belongs to the network or container `owner` of an engine."""
    return f"{instance}:{owner}"


def host_link(network: Network) -> str:
    """Name of the host's link of a network; empty where it is the parent itself."""
    if network.driver == BRIDGE:
        return network.bridge or bridge_name(network.id)
    return bridge_name(network.id) if network.vlan else ""


def ensure_bridge(network: Network, instance: str) -> Link:
    """The bridge of a network, made or put right: tag, gateway addresses, MTU, kernel settings, up."""
    ipv6 = any(pool.version == 6 for pool in network.pools)
    name = host_link(network)
    with Links() as links:
        bridge = _own_link(links, name, bridge_name(network.id), "bridge", tag(instance, network.id))
        if bridge is None:
            _refuse_foreign_addresses(links, network)
            bridge = _make_bridge(links, network, name, instance)
        elif network.mtu and bridge.mtu != network.mtu:
            links.apply(links.change(name, [("IFLA_MTU", network.mtu)]))
            bridge = _found(links, name)
        sysctls.settle_bridge(name, ipv6=ipv6)
        sysctls.set_forwarding(name, not network.internal, ipv6=ipv6)
        links.apply(
            *(links.new_address(bridge.number, address) for address in _gateways(network)),
            links.change(name, up=True),
            *([links.new_loopback_route(bridge.number)] if ipv6 else []),
        )
        return bridge


def ensure_parent(network: Network, instance: str) -> Link:
    """What the links of a macvlan or ipvlan network stand on: the parent, or a link for a VLAN on it. The
    host's own `<parent>.<vlan>` is used where there is one.
    """
    with Links() as links:
        parent = links.find(network.parent) if network.parent else links.way_out()
        if parent is None:
            raise _no_parent(network)
        if not network.vlan:
            return parent
        usual_name = f"{parent.name}.{network.vlan}"
        usual = links.find(usual_name) if len(usual_name.encode()) <= _LONGEST_NAME else None
        if usual is not None and usual.kind == "vlan" and usual.parent == parent.number:
            return usual
        name, own_tag = host_link(network), tag(instance, network.id)
        vlan = _own_link(links, name, name, "vlan", own_tag)
        if vlan is None or vlan.parent != parent.number:
            with _explained(network, parent):
                links.apply(
                    *([links.delete(vlan.number)] if vlan else []),
                    links.new(name, "vlan", [("IFLA_VLAN_ID", network.vlan)], [("IFLA_LINK", parent.number)]),
                    links.change(name, [("IFLA_IFALIAS", own_tag)]),
                )
        links.apply(links.change(name, up=True))
        return _found(links, name)


def remove_unused_bridge(network: Network, instance: str) -> None:
    """Once its last port is gone. Fine if it is not there."""
    if network.driver != BRIDGE:
        return
    with Links() as links:
        for name in sorted({host_link(network), bridge_name(network.id)}):
            bridge = links.find(name)
            if bridge is not None and bridge.alias == tag(instance, network.id) and not links.ports(bridge):
                links.apply(links.delete(bridge.number))


def sweep_links(snapshot: Snapshot) -> None:
    """Remove what carries the tag of this engine and belongs to nothing in the snapshot: the remains of a
    crash, and VLAN links that nobody needs any more. A bridge on which others have ports stays.
    """
    with Links() as links:
        found = _strays(links, snapshot)
        going = {link.number for link in found if link.kind != "bridge"}
        going |= {
            link.number
            for link in found
            if link.kind == "bridge" and all(port.number in going for port in links.ports(link))
        }
        links.apply(*links.delete_all(link.name for link in found if link.number in going))


def stray_links(snapshot: Snapshot) -> list[str]:
    """The names of what `sweep_links` would remove, and of bridges on which others have ports."""
    with Links() as links:
        return sorted(link.name for link in _strays(links, snapshot))


def _strays(links: Links, snapshot: Snapshot) -> list[Link]:
    needed = {endpoint.host_interface for endpoint in snapshot.endpoints}
    needed |= {host_link(snapshot.network_of(endpoint)) for endpoint in snapshot.endpoints}
    return [link for link in links.tagged(tag(snapshot.instance, "")) if link.name not in needed]


def _own_link(links: Links, name: str, first_name: str, kind: str, own_tag: str) -> Link | None:
    """The network's link if it is there, under the name it is to have. Conflict if the name is somebody
    else's.
    """
    found = links.find(name) or links.find(first_name)
    if found is None:
        return None
    if found.alias != own_tag:
        if found.alias or found.kind != kind or found.name != first_name:
            raise Conflict(
                f"the host has another interface {found.name}", "give the network's bridge another name"
            )
        links.apply(links.change(first_name, [("IFLA_IFALIAS", own_tag)]))
    if found.name != name:
        links.apply(links.rename(found.number, name))
    return found


def _make_bridge(links: Links, network: Network, name: str, instance: str) -> Link:
    first_name = bridge_name(network.id)
    way_out = links.way_out() if not network.mtu else None
    mtu = network.mtu or (way_out.mtu if way_out else _USUAL_MTU)
    links.apply(
        links.new(first_name, "bridge", attributes=[("IFLA_ADDRESS", _mac(network)), ("IFLA_MTU", mtu)]),
        links.change(first_name, [("IFLA_IFALIAS", tag(instance, network.id))]),
    )
    bridge = _found(links, first_name)
    if name != first_name:
        links.apply(links.rename(bridge.number, name))
    return bridge


def _mac(network: Network) -> str:
    """The same whenever the bridge is made: containers remember it."""
    return ":".join(["02", *(network.id[at : at + 2] for at in range(0, 10, 2))])


def _gateways(network: Network) -> list[str]:
    return [f"{pool.gateway}/{pool.prefix_length}" for pool in network.pools if pool.gateway]


def _refuse_foreign_addresses(links: Links, network: Network) -> None:
    gateways = {pool.gateway for pool in network.pools if pool.gateway}
    for index, address in links.addresses():
        own = str(ipaddress.ip_interface(address).ip)
        if own in gateways:
            holder = next((link.name for link in links.all() if link.number == index), "another interface")
            raise Conflict(
                f"the gateway {own} of network {network.name} is an address of {holder} already",
                "choose another subnet or gateway",
            )


def _no_parent(network: Network) -> CoracleError:
    if network.parent:
        return HostNotReady(
            f"network {network.name}: the host has no interface {network.parent}",
            "bring it up, or name another parent",
        )
    return InvalidInput(f"network {network.name}: the host has no default route", "name a parent")


@contextlib.contextmanager
def _explained(network: Network, parent: Link) -> t.Iterator[None]:
    """What the kernel's refusal of a new VLAN link means here."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EEXIST:
            message = f"VLAN {network.vlan} of {parent.name} has an interface under another name already"
            raise Conflict(message, "name that one as the parent, without a VLAN") from error
        if error.errno == errno.EOPNOTSUPP:
            raise HostNotReady("this kernel has no VLAN links", "load the module: modprobe 8021q") from error
        raise


def _found(links: Links, name: str) -> Link:
    found = links.find(name)
    if found is None:
        raise HostNotReady(f"the interface {name} is gone again", "see what removes interfaces on this host")
    return found
