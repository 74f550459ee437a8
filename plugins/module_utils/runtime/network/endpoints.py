# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on a network, made real: a link between the host and the container's namespace.

Driver bridge: a pair whose host's end (`cv-…`, tagged `<instance>:<container id>`) is a port of the bridge.
macvlan and ipvlan: a link in the container that stands on one of the host. The container's end is born in its
namespace under its name, so that there is no half-moved link. What a crash leaves goes when the namespace
does, or is removed by `disconnect` or `sweep_links`; `connect` replaces what is not right.

All of it works with the lock `network` held.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
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
_USUAL_METRIC = 1024  # linux/ipv6_route.h: IP6_RT_PRIO_USER


class Traffic(t.NamedTuple):
    """Bytes, as the container sees it."""

    received: int
    sent: int


def connect(
    network: Network, endpoint: Endpoint, netns_path: str, instance: str, *, default_route: bool = False
) -> None:
    """Make the container's interface, with its addresses and routes. Fine if it is there already; what is
    half made is made anew. A failure leaves nothing.
    """
    lay = _lay_pair if network.driver == BRIDGE else _lay_on_parent
    with doing(f"connect {endpoint.interface} to network {network.name}"), contextlib.ExitStack() as undo:
        undo.callback(_quietly, remove_unused_bridge, network, instance)
        if lay(network, endpoint, netns_path, instance):
            undo.callback(_quietly, disconnect, network, endpoint, netns_path)
        in_network_namespace(netns_path, lambda: _furnish(network, endpoint, default_route))
        undo.pop_all()


def disconnect(network: Network, endpoint: Endpoint, netns_path: str) -> None:
    """Remove the link. Fine if it is not there, or the namespace is gone."""
    if network.driver == BRIDGE:
        _remove(endpoint.host_interface, "veth")
    else:
        try:
            in_network_namespace(netns_path, lambda: _remove(endpoint.interface, network.driver))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL):  # EINVAL: an empty file, a crash's
                raise


def change_routes(network: Network, endpoint: Endpoint, netns_path: str) -> None:
    """Make the routes of a running container through this network those of the record."""
    in_network_namespace(netns_path, lambda: _change_routes(network, endpoint))


def set_default_route(places: t.Sequence[tuple[Network, Endpoint]], netns_path: str) -> None:
    """Give a running container the default routes that follow from all its places (`default_routes`)."""
    in_network_namespace(netns_path, lambda: _set_default_routes(places))


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

    def count() -> dict[str, Traffic]:
        with Links() as links:
            return {link.name: Traffic(link.received, link.sent) for link in links.all() if link.name != "lo"}

    return in_network_namespace(netns_path, count)


# Links


def _lay_pair(network: Network, endpoint: Endpoint, netns_path: str, instance: str) -> bool:
    """False: it is there already."""
    bridge = ensure_bridge(network, instance)
    own_tag = tag(instance, endpoint.container_id)
    name = endpoint.host_interface
    inside = _look_inside(endpoint, netns_path)
    with Links() as links, _opened(netns_path) as netns:
        ours = links.find(name)
        if ours is not None:
            if (ours.master, ours.alias) == (bridge.number, own_tag) and _stands_on(inside, ours, endpoint):
                links.apply(links.change(name, up=True))
                return False
            links.apply(links.delete(ours.number))
        peer = [
            ("IFLA_IFNAME", endpoint.interface),
            ("IFLA_ADDRESS", endpoint.mac),
            ("IFLA_MTU", bridge.mtu),
            ("IFLA_NET_NS_FD", netns),
        ]
        with _explained(endpoint, "veth"):
            links.apply(
                links.new(name, "veth", [("VETH_INFO_PEER", {"attrs": peer})], [("IFLA_MTU", bridge.mtu)]),
                links.change(name, [("IFLA_IFALIAS", own_tag), ("IFLA_MASTER", bridge.number)]),
            )
        sysctls.settle_port(name)
        links.apply(links.change(name, up=True))
    return True


def _lay_on_parent(network: Network, endpoint: Endpoint, netns_path: str, instance: str) -> bool:
    """False: it is there already."""
    kind = network.driver
    parent = ensure_parent(network, instance)
    inside = _look_inside(endpoint, netns_path)
    if inside is not None and inside.kind == kind:
        if _stands_on(inside, parent, endpoint):
            return False
        disconnect(network, endpoint, netns_path)
    mode = _MODES[kind][network.mode or _USUAL_MODE[kind]]
    with Links() as links, _opened(netns_path) as netns, _explained(endpoint, kind):
        attributes: list[tuple[str, t.Any]] = [
            ("IFLA_LINK", parent.number),
            ("IFLA_MTU", network.mtu or parent.mtu),
            ("IFLA_NET_NS_FD", netns),
        ]
        if kind == MACVLAN:  # the links of ipvlan share the MAC of their parent
            attributes.append(("IFLA_ADDRESS", endpoint.mac))
        links.apply(links.new(endpoint.interface, kind, [(f"IFLA_{kind.upper()}_MODE", mode)], attributes))
    return True


def _stands_on(inside: Link | None, outside: Link, endpoint: Endpoint) -> bool:
    """Is the container's link the one of the record, and this the host's that it belongs to?"""
    if inside is None or inside.parent != outside.number:
        return False
    return inside.kind == IPVLAN or inside.mac == endpoint.mac


def _look_inside(endpoint: Endpoint, netns_path: str) -> Link | None:
    def look() -> Link | None:
        with Links() as links:
            return links.find(endpoint.interface)

    return in_network_namespace(netns_path, look)


def _remove(name: str, kind: str) -> None:
    with Links() as links:
        found = links.find(name)
        if found is not None and found.kind == kind:
            links.apply(links.delete(found.number))


@contextlib.contextmanager
def _opened(path: str) -> t.Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _explained(endpoint: Endpoint, kind: str) -> t.Iterator[None]:
    """What the kernel's refusal of a new link means here."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EEXIST:
            message = f"the container has an interface {endpoint.interface} already"
            raise Conflict(message, "choose another name for the interface") from error
        if error.errno == errno.EOPNOTSUPP:
            raise HostNotReady(
                f"this kernel has no {kind} links", f"load the module: modprobe {kind}"
            ) from error
        if error.errno == errno.EBUSY:
            message = "the parent is in use by a bridge or by the other of macvlan and ipvlan"
            raise Conflict(message, "name another parent") from error
        raise


def _quietly(function: t.Callable[..., None], *arguments: t.Any) -> None:
    """Undo after a failure: that one is to be told; what does not work now is swept later."""
    with contextlib.suppress(CoracleError, OSError):
        function(*arguments)


# Inside the container's namespace


def _furnish(network: Network, endpoint: Endpoint, default_route: bool) -> None:
    versions = {ipaddress.ip_interface(address).version for address in endpoint.addresses}
    with Links() as links:
        link = _interface(links, endpoint)
        sysctls.settle_interface(endpoint.interface, ipv6=6 in versions)
        links.apply(
            *(links.new_address(link.number, address) for address in endpoint.addresses),
            links.change(endpoint.interface, up=True),
        )
        routes = [
            links.new_route(link.number, route.destination, route.gateway, route.metric)
            for route in _routes(network, versions)
        ]
        if default_route:
            ways = _ways_out(network, endpoint)
            routes += [links.new_route(link.number, _ALL[version], ways[version]) for version in ways]
        links.apply(*routes)


def _change_routes(network: Network, endpoint: Endpoint) -> None:
    versions = {ipaddress.ip_interface(address).version for address in endpoint.addresses}
    wanted = {_key(route.destination, route.gateway, route.metric) for route in _routes(network, versions)}
    with Links() as links:
        link = _interface(links, endpoint)
        found = {
            _key(route.destination, route.gateway, route.metric)
            for route in links.routes()
            if route.is_ours and route.link == link.number and route.destination not in _ALL.values()
        }
        links.apply(
            *(links.delete_route(link.number, *route) for route in sorted(found - wanted)),
            *(links.new_route(link.number, *route) for route in sorted(wanted - found)),
        )


def _set_default_routes(places: t.Sequence[tuple[Network, Endpoint]]) -> None:
    chosen = default_routes(places)
    with Links() as links:
        found = [route for route in links.routes() if route.is_ours and route.destination in _ALL.values()]
        for version, destination in _ALL.items():
            wanted = None
            if version in chosen:
                network, endpoint = chosen[version]
                wanted = (_interface(links, endpoint).number, _ways_out(network, endpoint)[version])
            had = [(route.link, route.gateway) for route in found if route.destination == destination]
            for index, gateway in had:
                if (index, gateway) != wanted:
                    links.apply(links.delete_route(index, destination, gateway))
            if wanted is not None and wanted not in had:
                links.apply(links.new_route(wanted[0], destination, wanted[1]))


def _interface(links: Links, endpoint: Endpoint) -> Link:
    found = links.find(endpoint.interface)
    if found is None:
        raise Conflict(
            f"the container has no interface {endpoint.interface} any more", "restart the container"
        )
    return found


def _ways_out(network: Network, endpoint: Endpoint) -> dict[int, str]:
    """The gateway, by IP version; empty for a route that needs none."""
    if network.internal:
        return {}
    versions = {ipaddress.ip_interface(address).version for address in endpoint.addresses}
    if network.driver == IPVLAN and network.mode in ("l3", "l3s"):
        return dict.fromkeys(sorted(versions), "")
    gateways = {version: network.gateway(version) for version in sorted(versions)}
    return {version: gateway for version, gateway in gateways.items() if gateway}


def _routes(network: Network, versions: t.Collection[int]) -> list[Route]:
    """Those of the network that a container with addresses of these IP versions can have."""
    return [route for route in network.routes if ipaddress.ip_network(route.destination).version in versions]


def _key(destination: str, gateway: str, metric: int) -> tuple[str, str, int]:
    """A route as the kernel would list it: without a metric, one for IPv6 gets the usual."""
    usual = _USUAL_METRIC if ":" in destination else 0
    return destination, gateway, metric or usual
