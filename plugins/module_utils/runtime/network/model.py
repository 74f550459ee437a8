# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What networks are, as values: a network, a container's place on it, a published port. No I/O.

Addresses are texts in the spelling of `ipaddress`; subnets are canonical (`10.88.0.0/24`, `fd00::/64`), the
addresses of an endpoint carry their prefix length (`10.88.0.2/24`).
"""

from __future__ import annotations

import ipaddress
import json
import typing as t

BRIDGE, MACVLAN, IPVLAN = "bridge", "macvlan", "ipvlan"
DRIVERS = (BRIDGE, MACVLAN, IPVLAN)

DEFAULT_NETWORK = "coracle"
"""The bridge of containers that name no network; made when the first of them is."""

IpAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
IpNetwork = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class Pool(t.NamedTuple):
    """One subnet of a network. `gateway` is empty where there is none; automatic addresses come from `range`
    (empty: all of the subnet). `reserved` are addresses by name that no container gets.
    """

    subnet: str
    gateway: str = ""
    range: str = ""
    reserved: t.Mapping[str, str] = {}

    @property
    def version(self) -> int:
        return self.network.version

    @property
    def network(self) -> IpNetwork:
        return ipaddress.ip_network(self.subnet)

    @property
    def prefix_length(self) -> int:
        return self.network.prefixlen

    def unusable(self, address: IpAddress) -> str:
        """Why no container can have that address of the pool; empty if one can."""
        subnet = self.network
        if str(address) == self.gateway:
            return "is the gateway"
        for name, reserved in self.reserved.items():
            if reserved == str(address):
                return f"is reserved for {name}"
        if subnet.num_addresses > 2:
            if address == subnet.network_address:
                return "is the address of the subnet itself"
            if subnet.version == 4 and address == subnet.broadcast_address:
                return "is the broadcast address"
        return ""


class Route(t.NamedTuple):
    """A route that containers of a network get. `metric` 0: the kernel's default."""

    destination: str
    gateway: str
    metric: int = 0


class Network(t.NamedTuple):
    """A network as it is: what was asked for, with everything chosen.

    `id` is 64 hex digits. `asked` are the options that were given, in normal form (network/options.py).
    `bridge` is the name of the host's interface of driver bridge; `parent`, `vlan` and `mode` are those of
    macvlan and ipvlan. `isolated`: other networks of the engine cannot reach it. `mtu` 0: that of the host's
    default route. `dns`: names are served on it; `dns_servers`: where other questions go (empty: the
    host's). `open_host_firewall`: where the host's own firewall is in its way, the engine tells that firewall
    to let it through. `unfinished`: a change was begun, and what running containers have of it has yet to
    follow (operations/replace_network.py).
    """

    name: str
    id: str
    driver: str
    created: str
    pools: tuple[Pool, ...] = ()
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
    asked: t.Mapping[str, t.Any] = {}
    unfinished: bool = False

    def pool_of(self, address: str) -> Pool | None:
        """The pool that an address, with or without a prefix length, is in."""
        wanted = ipaddress.ip_interface(address).ip
        return next((pool for pool in self.pools if wanted in pool.network), None)

    def offers(self, address: str) -> bool:
        """Is it an address that a container can have?"""
        pool = self.pool_of(address)
        return pool is not None and not pool.unusable(ipaddress.ip_address(address))

    def gateway(self, version: int) -> str:
        """The first gateway for IPv4 or IPv6; empty where there is none."""
        found = (pool.gateway for pool in self.pools if pool.version == version and pool.gateway)
        return next(found, "")

    def to_json(self) -> str:
        document = {
            **self._asdict(),
            "pools": [pool._asdict() for pool in self.pools],
            "routes": [route._asdict() for route in self.routes],
        }
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> Network:
        """ValueError, TypeError or KeyError if it is none. Unknown keys are of a newer engine."""
        document = _known(cls, json.loads(text))
        document["pools"] = tuple(Pool(**_known(Pool, pool)) for pool in document["pools"])
        document["routes"] = tuple(Route(**_known(Route, route)) for route in document["routes"])
        document["dns_servers"] = tuple(document["dns_servers"])
        return cls(**document)


class Endpoint(t.NamedTuple):
    """A container's place on a network, from its creation (or connection) to its removal: the same addresses
    and MAC at every start.

    `id` is 64 hex digits. `interface` is its name in the container. `addresses` with prefix length. `links`
    are other containers under an alias that only this container knows. Of several networks the one with the
    highest `priority`, then the first, has the default route.
    """

    container_id: str
    network: str
    id: str
    interface: str
    addresses: tuple[str, ...]
    mac: str
    aliases: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    options: t.Mapping[str, str] = {}
    priority: int = 0

    @property
    def host_interface(self) -> str:
        """The host's end of the pair, driver bridge. At most 15 bytes."""
        return f"cv-{self.id[:11]}"

    def address(self, version: int) -> str:
        """The first IPv4 or IPv6 address, without prefix length; empty where there is none."""
        found = (ipaddress.ip_interface(address) for address in self.addresses)
        return next((str(address.ip) for address in found if address.version == version), "")

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> Endpoint:
        """ValueError, TypeError or KeyError if it is none. Unknown keys are of a newer engine."""
        document = _known(cls, json.loads(text))
        for name in ("addresses", "aliases"):
            document[name] = tuple(document[name])
        document["links"] = tuple((name, alias) for name, alias in document["links"])
        return cls(**document)


class PublishedPort(t.NamedTuple):
    """One port of the host that leads to one of a container. `host_ip` is `0.0.0.0`, `::` or an address of
    the host; `protocol` is tcp, udp or sctp.
    """

    container_id: str
    host_ip: str
    protocol: str
    host_port: int
    container_port: int


class Member(t.NamedTuple):
    """A container as others on its networks see it. `name` is the one it goes by (also while it is being
    replaced); `short_id` has 12 digits. `standby`: it waits until the one whose place it will take has
    stopped or made room. `draining`: another one has its place; it only ends what it has begun. Neither is
    found by name, or led to by a port. `dns_servers` are those it asked for.
    """

    container_id: str
    name: str
    hostname: str = ""
    standby: bool = False
    draining: bool = False
    dns_servers: tuple[str, ...] = ()

    @property
    def short_id(self) -> str:
        return self.container_id[:12]

    @property
    def is_found(self) -> bool:
        return not (self.standby or self.draining)


class Snapshot(t.NamedTuple):
    """Everything that firewall and names are made from, of one instant: all networks, and what belongs to
    containers that have a run (operations/network_snapshot.py).
    """

    instance: str
    networks: tuple[Network, ...]
    endpoints: tuple[Endpoint, ...]
    ports: tuple[PublishedPort, ...]
    members: t.Mapping[str, Member]

    def network_of(self, endpoint: Endpoint) -> Network:
        return next(network for network in self.networks if network.name == endpoint.network)

    @property
    def draining(self) -> frozenset[str]:
        """Addresses, without prefix length, that lead nowhere any more, and whose connections go on."""
        return frozenset(
            address.partition("/")[0]
            for endpoint in self.endpoints
            if self.members[endpoint.container_id].draining
            for address in endpoint.addresses
        )


def bridge_name(network_id: str) -> str:
    """The host's interface of a network that does not name one itself. At most 15 bytes."""
    return f"cor-{network_id[:10]}"


def _known(shape: t.Any, document: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: document[name] for name in shape._fields if name in document}
