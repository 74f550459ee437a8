# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Links, addresses and routes of one network namespace, by rtnetlink(7). The only door to pyroute2.

Of pyroute2 only the message classes are used, which are the same in all its versions (0.7 to 0.9): they know
how the kernel spells its attributes. Nothing here knows of networks or containers.
"""

from __future__ import annotations

import errno
import functools
import importlib.util
import ipaddress
import os
import socket
import sys
import types
import typing as t

from ..errors import HostNotReady
from ..linux.netlink import Netlink, Request
from .model import IpNetwork

# linux/rtnetlink.h, linux/netlink.h
_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_REPLACE, _EXCL, _CREATE = 0x100, 0x200, 0x400
_UP = 0x1
_FORWARDING = 3  # linux/if_bridge.h
_NODAD = 0x2
_MAIN_TABLE, _LOCAL_TABLE = 254, 255
_UNICAST, _LOCAL, _STATIC = 1, 2, 4
_LOOPBACK_METRIC = 4096  # one route for each link, all behind the kernel's own
_UNIVERSE, _LINK_SCOPE = 0, 253

_HINT = "the role coracle.engine.host installs it"

Attributes = t.Sequence[tuple[str, t.Any]]


class Link(t.NamedTuple):
    """`number` is the index of the interface; `master` and `parent` are those of others, 0 for none. A parent
    may be in another namespace. `forwards`: it is a port of a bridge, and in use.
    """

    number: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    alias: str
    master: int
    parent: int
    forwards: bool
    received: int
    sent: int


class RouteEntry(t.NamedTuple):
    """`destination` of a default route is `0.0.0.0/0` or `::/0`."""

    destination: str
    gateway: str
    metric: int
    link: int
    is_ours: bool


class HostView(t.NamedTuple):
    """What a host has by way of networks: every destination of a route and the subnet of every address (but
    for default routes, whole or in parts), and the names of its links.
    """

    subnets: tuple[IpNetwork, ...]
    links: tuple[str, ...]


class Links:
    """The links of the network namespace that the thread is in."""

    def __init__(self) -> None:
        self._messages = load_messages()
        self._netlink = Netlink(socket.NETLINK_ROUTE)

    def __enter__(self) -> Links:
        return self

    def __exit__(self, *_error: object) -> None:
        self._netlink.close()

    # Looking

    def all(self) -> list[Link]:
        return [self._link(data) for data in self._netlink.dump(_GETLINK, self._link_body())]

    def find(self, name: str) -> Link | None:
        request = Request(_GETLINK, 0, self._link_body([("IFLA_IFNAME", name)]))
        try:
            return self._link(self._netlink.get(request)[0])
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def ports(self, bridge: Link) -> list[Link]:
        body = self._link_body([("IFLA_MASTER", bridge.number)])
        found = [self._link(data) for data in self._netlink.dump(_GETLINK, body)]
        return [link for link in found if link.master == bridge.number]

    def tagged(self, beginning: str) -> list[Link]:
        """Those whose alias begins so. The others, of which there may be many, are not even decoded."""
        text = beginning.encode()
        dumped = self._netlink.dump(_GETLINK, self._link_body())
        found = [self._link(data) for data in dumped if text in data]
        return [link for link in found if link.alias.startswith(beginning)]

    def way_out(self) -> Link | None:
        """The link of the default route: of the one for IPv4 first."""
        for address in ("1.1.1.1", "2606:4700:4700::1111"):
            target = ipaddress.ip_address(address)
            fields = {"family": _family(target), "dst_len": target.max_prefixlen}
            request = Request(_GETROUTE, 0, self._encoded("route", fields, [("RTA_DST", address)]))
            try:
                route = self._route(self._netlink.get(request)[0])
            except OSError as error:
                if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT):
                    raise
            else:
                return next((link for link in self.all() if link.number == route.link), None)
        return None

    def addresses(self) -> list[tuple[int, str]]:
        """Index of the link, and address with prefix length."""
        found = []
        for data in self._netlink.dump(_GETADDR, self._address_body(0)):
            message = self._decoded("address", data)
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            found.append((message["index"], f"{address}/{message['prefixlen']}"))
        return found

    def routes(self) -> list[RouteEntry]:
        """Of all tables and both families."""
        everything = dict.fromkeys(("family", "table", "proto", "scope", "type"), 0)
        dumped = self._netlink.dump(_GETROUTE, self._encoded("route", everything, []))
        return [self._route(data) for data in dumped]

    # Changing

    def apply(self, *requests: Request) -> None:
        """All in one system call, in order; OSError of the first that failed."""
        if requests:
            self._netlink.apply(*requests)

    def new(self, name: str, kind: str, data: Attributes = (), attributes: Attributes = ()) -> Request:
        info = {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": list(data)})]}
        body = self._link_body([("IFLA_IFNAME", name), *attributes, ("IFLA_LINKINFO", info)])
        return Request(_NEWLINK, _CREATE | _EXCL, body, f"make the {kind} link {name}")

    def change(self, name: str, attributes: Attributes = (), *, up: bool = False) -> Request:
        flags = {"flags": _UP, "change": _UP} if up else {}
        body = self._link_body([("IFLA_IFNAME", name), *attributes], **flags)
        return Request(_SETLINK, 0, body, f"set up the link {name}")

    def reflect(self, name: str) -> Request:
        """A port of a bridge also gives back what came from it: with br_netfilter a container's way to its
        own published port is bridged.
        """
        port = {"attrs": [("IFLA_BRPORT_MODE", 1)]}
        info = {"attrs": [("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", port)]}
        body = self._link_body([("IFLA_IFNAME", name), ("IFLA_LINKINFO", info)])
        return Request(_NEWLINK, 0, body, f"set up the port {name}")

    def rename(self, index: int, name: str) -> Request:
        body = self._link_body([("IFLA_IFNAME", name)], index=index)
        return Request(_SETLINK, 0, body, f"name a link {name}")

    def delete(self, index: int) -> Request:
        return Request(
            _DELLINK, 0, self._link_body(index=index), "remove a link", (errno.ENODEV, errno.EINVAL)
        )

    def delete_all(self, names: t.Iterable[str]) -> list[Request]:
        """As one group, under a number of our own: the kernel takes tens of milliseconds for the end of a
        link, or of any number of links at once.
        """
        group = int.from_bytes(os.urandom(4), "big") >> 1 | 1
        requests = [
            self.change(name, [("IFLA_GROUP", group)])._replace(fine=(errno.ENODEV,)) for name in names
        ]
        body = self._link_body([("IFLA_GROUP", group)])
        return [*requests, Request(_DELLINK, 0, body, "remove links", (errno.ENODEV,))] if requests else []

    def new_address(self, index: int, address: str) -> Request:
        """With prefix length; used at once, fine if it is there."""
        own = ipaddress.ip_interface(address)
        attributes = [("IFA_LOCAL", str(own.ip)), ("IFA_ADDRESS", str(own.ip))]
        if own.version == 4 and own.network.prefixlen < 31:
            attributes.append(("IFA_BROADCAST", str(own.network.broadcast_address)))
        body = self._address_body(
            index, attributes, family=_family(own), prefixlen=own.network.prefixlen, flags=_NODAD
        )
        return Request(_NEWADDR, _CREATE | _REPLACE, body, f"give the address {address}")

    def delete_address(self, index: int, address: str) -> Request:
        own = ipaddress.ip_interface(address)
        body = self._address_body(
            index, [("IFA_LOCAL", str(own.ip))], family=_family(own), prefixlen=own.network.prefixlen
        )
        return Request(_DELADDR, 0, body, f"take the address {address}", (errno.EADDRNOTAVAIL,))

    def new_route(self, index: int, destination: str, gateway: str = "", metric: int = 0) -> Request:
        """Without a gateway: what is there is on the link itself."""
        body = self._route_body(index, destination, gateway, metric)
        return Request(_NEWROUTE, _CREATE | _REPLACE, body, _route_phrase("add", destination, gateway))

    def new_loopback_route(self, index: int) -> Request:
        """Let `::1` be local for packets that the firewall redirects through this link, as `route_localnet`
        does for 127.0.0.0/8. One from outside is dropped before it could be routed.
        """
        fields = {"family": socket.AF_INET6, "dst_len": 128, "table": _LOCAL_TABLE, "type": _LOCAL}
        attributes = [("RTA_DST", "::1"), ("RTA_OIF", index), ("RTA_PRIORITY", _LOOPBACK_METRIC + index)]
        body = self._encoded("route", {**fields, "proto": _STATIC, "scope": _UNIVERSE}, attributes)
        return Request(_NEWROUTE, _CREATE | _EXCL, body, "add the route to ::1", (errno.EEXIST,))

    def delete_route(self, index: int, destination: str, gateway: str = "", metric: int = 0) -> Request:
        body = self._route_body(index, destination, gateway, metric)
        return Request(_DELROUTE, 0, body, _route_phrase("remove", destination, gateway), (errno.ESRCH,))

    # Messages

    def _link_body(self, attributes: Attributes = (), **fields: int) -> bytes:
        return self._encoded("link", fields, attributes)

    def _address_body(self, index: int, attributes: Attributes = (), **fields: int) -> bytes:
        return self._encoded("address", {"index": index, **fields}, attributes)

    def _route_body(self, index: int, destination: str, gateway: str, metric: int) -> bytes:
        where = ipaddress.ip_network(destination)
        fields = {
            "family": _family(where),
            "dst_len": where.prefixlen,
            "table": _MAIN_TABLE,
            "type": _UNICAST,
            "proto": _STATIC,
            "scope": _UNIVERSE if gateway or where.version == 6 else _LINK_SCOPE,
        }
        attributes: list[tuple[str, t.Any]] = [("RTA_OIF", index)]
        if where.prefixlen:
            attributes.append(("RTA_DST", str(where.network_address)))
        if gateway:
            attributes.append(("RTA_GATEWAY", gateway))
        if metric:
            attributes.append(("RTA_PRIORITY", metric))
        return self._encoded("route", fields, attributes)

    def _encoded(self, kind: str, fields: t.Mapping[str, int], attributes: Attributes) -> bytes:
        message = self._messages[kind]()
        for name, value in fields.items():
            message[name] = value
        message["attrs"] = list(attributes)
        message.encode()
        return bytes(message.data)[16:]  # the header is that of linux/netlink.py

    def _decoded(self, kind: str, data: bytes) -> t.Any:
        message = self._messages[kind](data)
        message.decode()
        return message

    def _link(self, data: bytes) -> Link:
        message = self._decoded("link", data)
        info = message.get_attr("IFLA_LINKINFO")
        port = info and info.get_attr("IFLA_INFO_SLAVE_DATA")
        statistics = message.get_attr("IFLA_STATS64") or {}
        return Link(
            message["index"],
            message.get_attr("IFLA_IFNAME"),
            (info and info.get_attr("IFLA_INFO_KIND")) or "",
            message.get_attr("IFLA_ADDRESS") or "",
            message.get_attr("IFLA_MTU") or 0,
            bool(message["flags"] & _UP),
            message.get_attr("IFLA_IFALIAS") or "",
            message.get_attr("IFLA_MASTER") or 0,
            message.get_attr("IFLA_LINK") or 0,
            bool(port) and port.get_attr("IFLA_BRPORT_STATE") == _FORWARDING,
            statistics.get("rx_bytes", 0),
            statistics.get("tx_bytes", 0),
        )

    def _route(self, data: bytes) -> RouteEntry:
        message = self._decoded("route", data)
        nowhere = "::" if message["family"] == socket.AF_INET6 else "0.0.0.0"
        destination = message.get_attr("RTA_DST") or nowhere
        return RouteEntry(
            f"{destination}/{message['dst_len']}",
            message.get_attr("RTA_GATEWAY") or "",
            message.get_attr("RTA_PRIORITY") or 0,
            message.get_attr("RTA_OIF") or 0,
            message["table"] == _MAIN_TABLE and message["proto"] == _STATIC,
        )


def host_view() -> HostView:
    """What is there in the network namespace of this thread."""
    with Links() as links:
        destinations = [route.destination for route in links.routes()]
        addresses = [address for _index, address in links.addresses()]
        names = tuple(link.name for link in links.all())
    found = {ipaddress.ip_interface(text).network for text in (*destinations, *addresses)}
    subnets = [subnet for subnet in found if not _is_default(subnet)]
    return HostView(tuple(sorted(subnets, key=lambda subnet: (subnet.version, subnet))), names)


def _is_default(subnet: IpNetwork) -> bool:
    """Or a part of one, as VPNs have them: wider than any network for private use."""
    return subnet.prefixlen < (8 if subnet.version == 4 else 7)


def _family(address: t.Any) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _route_phrase(verb: str, destination: str, gateway: str) -> str:
    return f"{verb} the route to {destination}" + (f" via {gateway}" if gateway else "")


@functools.cache
def load_messages() -> dict[str, t.Any]:
    """The message classes. What else the package does by itself costs a task ten times as much (asyncio, a
    database of links, the programs `uname` and `file`): it is left out where that works, as it does in all
    versions known.
    """
    spec = importlib.util.find_spec("pyroute2")
    if spec is None and sys.flags.no_site:  # the agent: what is installed on the host is not on its path yet
        import site

        site.main()
        spec = importlib.util.find_spec("pyroute2")
    if spec is None:
        raise HostNotReady(f"{sys.executable} has no module pyroute2 (package python3-pyroute2)", _HINT)
    if "pyroute2" not in sys.modules:
        sys.modules["pyroute2"] = importlib.util.module_from_spec(spec)
        sys.modules["pyroute2.config"] = _Config("pyroute2.config")
        try:
            return _import_messages()
        except (ImportError, AttributeError):
            for name in [name for name in sys.modules if name.partition(".")[0] == "pyroute2"]:
                del sys.modules[name]
        finally:
            for name in ("pyroute2", "pyroute2.config"):
                sys.modules.pop(name, None)
    return _import_messages()


class _Config(types.ModuleType):
    """What message classes want of the package's settings. The real ones begin with looking the machine over
    (`platform.architecture`), which starts two programs, found by the caller's PATH.
    """

    AF_BRIDGE, AF_NETLINK = 7, 16
    data_plugins_pkgs: t.ClassVar[tuple[str, ...]] = ()
    data_plugins_path: t.ClassVar[tuple[str, ...]] = ()


def _import_messages() -> dict[str, t.Any]:
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    return {"link": ifinfmsg, "address": ifaddrmsg, "route": rtmsg}
