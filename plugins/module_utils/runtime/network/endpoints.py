# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on a network, made real: a link between the host and the container's namespace.

Driver bridge: a pair whose host's end (`cv-…`, tagged `<instance>:<container id>`) is a port of the bridge.
macvlan and ipvlan: a link in the container that stands on one of the host. The container's end is born in its
namespace, so that there is no half-moved link. What a crash leaves goes when the namespace does, or is
removed by `disconnect` or `sweep_links`; `connect` replaces what is not right.

All of it works with the lock `network` held.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import time
import typing as t

from ..errors import Conflict, CoracleError, HostNotReady, doing
from ..linux.namespaces import in_network_namespace
from . import sysctls
from .bridges import ensure_bridge, ensure_parent, remove_unused_bridge, tag
from .links import Link, Links
from .model import BRIDGE, IPVLAN, MACVLAN, Endpoint, Network, Route

_MODES: dict[str, dict[str, int]] = {
    MACVLAN: {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8},  # linux/if_link.h
    IPVLAN: {"l2": 0, "l3": 1, "l3s": 2},
}
_USUAL_MODE = {MACVLAN: "bridge", IPVLAN: "l2"}


_ALL = {4: "0.0.0.0/0", 6: "::/0"}
_PATIENCE, _PAUSE = 0.2, 0.001  # seconds
_USUAL_METRIC = 1024  # linux/ipv6_route.h: IP6_RT_PRIO_USER


class Traffic(t.NamedTuple):
    """Bytes, as the container sees it."""

    received: int
    sent: int


def connect(
    network: Network, endpoint: Endpoint, netns_path: str, instance: str, *, default_route: bool = False
) -> None:
    """Make the container's interface, with its addresses and routes. Fine if it is there already; what is
    half made is made anew. A failure takes back what this call has made.
    """
    with doing(f"connect {endpoint.interface} to network {network.name}"), contextlib.ExitStack() as undo:
        undo.callback(_quietly, remove_unused_bridge, network, instance)
        with Links() as outside, _links_in(netns_path) as inside:
            stand = (ensure_bridge if network.driver == BRIDGE else ensure_parent)(network, instance)
            laid = _is_laid(outside, inside, network, endpoint, stand, instance)
            if not laid:
                disconnect(network, endpoint, netns_path)
                undo.callback(_quietly, disconnect, network, endpoint, netns_path)
                with _opened(netns_path) as netns:
                    if network.driver == BRIDGE:
                        _make_pair(outside, network, endpoint, stand, netns, instance)
                    else:
                        _make_on_parent(outside, inside, network, endpoint, stand, netns)
            ipv6 = 6 in _versions(endpoint)
            in_network_namespace(netns_path, lambda: sysctls.settle_interface(endpoint.interface, ipv6=ipv6))
            _furnish(inside, network, endpoint, default_route)
            if network.driver == BRIDGE and not laid:
                _announce(outside, inside, endpoint)
        undo.pop_all()


def disconnect(network: Network, endpoint: Endpoint, netns_path: str) -> None:
    """Remove the link. Fine if it is not there, or the namespace is gone."""
    if network.driver == BRIDGE:
        with Links() as links:
            _remove(links, endpoint.host_interface, "veth")
        return
    try:
        with _links_in(netns_path) as links:
            for name in (endpoint.host_interface, endpoint.interface):
                _remove(links, name, network.driver)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):  # EINVAL: an empty file, a crash's
            raise


def change_routes(network: Network, endpoint: Endpoint, netns_path: str) -> None:
    """Make the routes of a running container through this network those of the record."""
    wanted = {_key(*route) for route in _routes(network, endpoint)}
    with _links_in(netns_path) as links:
        number = _found(links, endpoint.interface).number
        found = {
            _key(route.destination, route.gateway, route.metric)
            for route in links.routes()
            if route.is_ours and route.link == number and route.destination not in _ALL.values()
        }
        links.apply(
            *(links.delete_route(number, *route) for route in sorted(found - wanted)),
            *(links.new_route(number, *route) for route in sorted(wanted - found)),
        )


def set_default_route(places: t.Sequence[tuple[Network, Endpoint]], netns_path: str) -> None:
    """Give a running container the default routes that follow from all its places (`default_routes`)."""
    chosen = default_routes(places)
    with _links_in(netns_path) as links:
        wanted = {
            (_found(links, endpoint.interface).number, _ALL[version], _ways_out(network, endpoint)[version])
            for version, (network, endpoint) in chosen.items()
        }
        found = {
            (route.link, route.destination, route.gateway)
            for route in links.routes()
            if route.is_ours and route.destination in _ALL.values()
        }
        links.apply(
            *(links.new_route(*route) for route in sorted(wanted - found)),
            *(links.delete_route(*route) for route in sorted(found - wanted)),
        )


def default_routes(places: t.Sequence[tuple[Network, Endpoint]]) -> dict[int, tuple[Network, Endpoint]]:
    """The place that leads out, by IP version: the one of highest priority that does, then the first."""
    ranked = sorted(places, key=lambda place: -place[1].priority)
    found: dict[int, tuple[Network, Endpoint]] = {}
    for network, endpoint in ranked:
        for version in _ways_out(network, endpoint):
            found.setdefault(version, (network, endpoint))
    return found


def counters(netns_path: str) -> dict[str, Traffic]:
    """What went through each interface of a container."""
    with _links_in(netns_path) as links:
        return {link.name: Traffic(link.received, link.sent) for link in links.all() if link.name != "lo"}


# Links


def _is_laid(
    outside: Links, inside: Links, network: Network, endpoint: Endpoint, stand: Link, instance: str
) -> bool:
    """Is the container's link the one of the record, and does it lead to the bridge or parent `stand`?"""
    link = inside.find(endpoint.interface)
    if link is None or (link.mac != endpoint.mac and network.driver != IPVLAN):
        return False
    if network.driver != BRIDGE:
        return link.kind == network.driver and link.parent == stand.number
    port = outside.find(endpoint.host_interface)
    if port is None or link.parent != port.number:
        return False
    return port.up and (port.master, port.alias) == (stand.number, tag(instance, endpoint.container_id))


def _make_pair(
    outside: Links, network: Network, endpoint: Endpoint, bridge: Link, netns: int, instance: str
) -> None:
    name = endpoint.host_interface
    peer = [
        ("IFLA_IFNAME", endpoint.interface),
        ("IFLA_ADDRESS", endpoint.mac),
        ("IFLA_MTU", bridge.mtu),
        ("IFLA_NET_NS_FD", netns),
    ]
    own_tag = tag(instance, endpoint.container_id)
    with _explained(network, endpoint):
        outside.apply(
            outside.new(name, "veth", [("VETH_INFO_PEER", {"attrs": peer})], [("IFLA_MTU", bridge.mtu)]),
            outside.change(name, [("IFLA_IFALIAS", own_tag), ("IFLA_MASTER", bridge.number)]),
        )
    sysctls.settle_port(name)
    outside.apply(outside.reflect(name), outside.change(name, up=True))


def _make_on_parent(
    outside: Links, inside: Links, network: Network, endpoint: Endpoint, parent: Link, netns: int
) -> None:
    """Under a name that nobody has, and then its own: older kernels (6.1 does) refuse a new link elsewhere
    the name of one of the host's.
    """
    kind, first_name = network.driver, endpoint.host_interface
    mode = _MODES[kind][network.mode or _USUAL_MODE[kind]]
    attributes: list[tuple[str, t.Any]] = [
        ("IFLA_LINK", parent.number),
        ("IFLA_MTU", network.mtu or parent.mtu),
        ("IFLA_NET_NS_FD", netns),
    ]
    if kind == MACVLAN:  # the links of ipvlan share the MAC of their parent
        attributes.append(("IFLA_ADDRESS", endpoint.mac))
    with _explained(network, endpoint):
        outside.apply(outside.new(first_name, kind, [(f"IFLA_{kind.upper()}_MODE", mode)], attributes))
        inside.apply(inside.rename(_found(inside, first_name).number, endpoint.interface))


def _furnish(inside: Links, network: Network, endpoint: Endpoint, default_route: bool) -> None:
    number = _found(inside, endpoint.interface).number
    inside.apply(
        *(inside.new_address(number, address) for address in endpoint.addresses),
        inside.change(endpoint.interface, up=True),
    )
    ways = _ways_out(network, endpoint) if default_route else {}
    inside.apply(
        *(inside.new_route(number, *route) for route in _routes(network, endpoint)),
        *(inside.new_route(number, _ALL[version], gateway) for version, gateway in ways.items()),
    )


def _announce(outside: Links, inside: Links, endpoint: Endpoint) -> None:
    """A port of a bridge forwards some moments after it is up; until then what the container sends is lost.
    Once it does, tell the neighbours, who may know the addresses with the MAC of another: setting it makes
    the kernel do that (`arp_notify`).
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        port = outside.find(endpoint.host_interface)
        if port is None or port.forwards:
            break
        time.sleep(_PAUSE)
    inside.apply(inside.change(endpoint.interface, [("IFLA_ADDRESS", endpoint.mac)]))


def _remove(links: Links, name: str, kind: str) -> None:
    found = links.find(name)
    if found is not None and found.kind == kind:
        links.apply(links.delete(found.number))


def _found(links: Links, name: str) -> Link:
    found = links.find(name)
    if found is None:
        message = f"the container has no interface {name} any more"
        raise Conflict(message, "restart the container")
    return found


def _links_in(netns_path: str) -> Links:
    return in_network_namespace(netns_path, Links)


@contextlib.contextmanager
def _opened(path: str) -> t.Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _explained(network: Network, endpoint: Endpoint) -> t.Iterator[None]:
    """What the kernel's refusal of a new link means here."""
    kind = "veth" if network.driver == BRIDGE else network.driver
    try:
        yield
    except OSError as error:
        if error.errno == errno.EEXIST:
            message = f"the container has an interface {endpoint.interface} already"
            raise Conflict(message, "choose another name for the interface") from error
        if error.errno == errno.EOPNOTSUPP:
            hint = f"load the module: modprobe {kind}"
            raise HostNotReady(f"this kernel has no {kind} links", hint) from error
        if error.errno == errno.EBUSY:
            message = f"{network.parent} is in use by a bridge, or by the other of macvlan and ipvlan"
            raise Conflict(message, "name another parent") from error
        raise


def _quietly(function: t.Callable[..., None], *arguments: t.Any) -> None:
    """Undo after a failure: that one is to be told; what does not work now is swept later."""
    with contextlib.suppress(CoracleError, OSError):
        function(*arguments)


# What follows from the records


def _versions(endpoint: Endpoint) -> list[int]:
    return sorted({ipaddress.ip_interface(address).version for address in endpoint.addresses})


def _ways_out(network: Network, endpoint: Endpoint) -> dict[int, str]:
    """The gateway, by IP version; empty for a route that needs none."""
    if network.internal:
        return {}
    if network.driver == IPVLAN and network.mode in ("l3", "l3s"):
        return dict.fromkeys(_versions(endpoint), "")
    gateways = {version: network.gateway(version) for version in _versions(endpoint)}
    return {version: gateway for version, gateway in gateways.items() if gateway}


def _routes(network: Network, endpoint: Endpoint) -> list[Route]:
    """Those of the network that a container with these addresses can have."""
    versions = _versions(endpoint)
    return [route for route in network.routes if ipaddress.ip_network(route.destination).version in versions]


def _key(destination: str, gateway: str, metric: int) -> tuple[str, str, int]:
    """A route as the kernel would list it: without a metric, one for IPv6 gets the usual."""
    usual = _USUAL_METRIC if ":" in destination else 0
    return destination, gateway, metric or usual
