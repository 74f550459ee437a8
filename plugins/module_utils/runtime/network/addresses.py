# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Choosing addresses: subnets for networks, and for containers the places in them.

Automatic subnets lie where no other engine chooses its own as long as there is room (Docker: 172.16/12,
Podman: 10.88/16 and up). Those for IPv6 share the prefix of a site that is made up (RFC 4193, section 3.2.2).
"""

from __future__ import annotations

import ipaddress
import typing as t

from ..errors import Conflict, InvalidInput
from .model import Endpoint, IpAddress, IpNetwork, Network, Pool
from .records import addresses_in, container_name

if t.TYPE_CHECKING:
    from ..state.database import Transaction

_ROOM = ("10.80.0.0/13", "192.168.0.0/16", "172.16.0.0/12")
_AUTOMATIC = {4: 24, 6: 64}  # prefix lengths
_SITE = 48
_EVERYTHING = 8  # routes with a shorter prefix are default routes, or parts of one


# Subnets


def choose_pools(
    wanted: t.Sequence[Pool],
    *,
    ipv4: bool = True,
    ipv6: bool = False,
    taken: t.Sequence[IpNetwork] = (),
    start: int = 0,
    site: str = "",
) -> tuple[Pool, ...]:
    """Those that are `wanted`, and automatic ones for the versions that none of them has.

    `taken`: subnets that an automatic one avoids. `start`: which one the search begins with (IPv4); `site`:
    what no other site has, its prefix is made from it (IPv6). Conflict if nothing is free.
    """
    pools = list(wanted)
    versions = {pool.version for pool in wanted}
    if ipv4 and 4 not in versions:
        pools.append(pool_of(_free_subnet(4, [ipaddress.ip_network(room) for room in _ROOM], start, taken)))
    if ipv6 and 6 not in versions:
        pools.append(pool_of(_free_subnet(6, [_site(site)], 0, taken)))
    return tuple(pools)


def pool_of(subnet: IpNetwork) -> Pool:
    """A subnet whose first address is the gateway."""
    return Pool(str(subnet), str(subnet[0] if subnet.num_addresses <= 2 else subnet[1]))


def _free_subnet(
    version: int, rooms: t.Sequence[IpNetwork], start: int, taken: t.Sequence[IpNetwork]
) -> IpNetwork:
    obstacles: list[t.Any] = [
        subnet for subnet in taken if subnet.version == version and subnet.prefixlen >= _EVERYTHING
    ]
    for room in rooms:
        for candidate in _subnets(room, _AUTOMATIC[version], start):
            if not any(candidate.overlaps(obstacle) for obstacle in obstacles):
                return candidate
    raise Conflict(
        f"no subnet is free for IPv{version}: networks and routes of this host cover what could be chosen",
        "name one with ipam_config",
    )


def _site(text: str) -> IpNetwork:
    import hashlib

    prefix = b"\xfd" + hashlib.sha256(text.encode()).digest()[:5]
    return ipaddress.IPv6Network((int.from_bytes(prefix.ljust(16, b"\0"), "big"), _SITE))


def _subnets(room: IpNetwork, prefix_length: int, start: int) -> t.Iterator[IpNetwork]:
    count = 1 << (prefix_length - room.prefixlen)
    size = 1 << (room.max_prefixlen - prefix_length)
    kind = type(room)
    for number in range(count):
        yield kind((int(room.network_address) + (start + number) % count * size, prefix_length))


# Addresses


def reserve(
    transaction: Transaction,
    network: Network,
    container_id: str,
    ipv4: str = "",
    ipv6: str = "",
    avoid: t.Container[str] = (),
) -> tuple[str, ...]:
    """An address of each version that the network has, with prefix length: the one that is asked for, or the
    first that is free (and not in `avoid`). They are taken when the endpoint is saved in this transaction.

    InvalidInput for an address that no container can have there, Conflict, with the holder, for one that is
    taken, and where nothing is free.
    """
    holders = addresses_in(transaction, network.name)
    holders = {address: holder for address, holder in holders.items() if holder != container_id}
    chosen = []
    for version, wanted in ((4, ipv4), (6, ipv6)):
        pools = [pool for pool in network.pools if pool.version == version]
        if wanted:
            chosen.append(_asked(transaction, network, version, wanted, holders))
        elif pools:
            chosen.append(_first_free(network, pools, holders, avoid))
    return tuple(chosen)


def _asked(
    transaction: Transaction, network: Network, version: int, wanted: str, holders: t.Mapping[str, str]
) -> str:
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        raise InvalidInput(f"{wanted!r} is not an address") from None
    if address.version != version:
        raise InvalidInput(f"{address} is not an IPv{version} address")
    pool = network.pool_of(str(address))
    if pool is None:
        subnets = ", ".join(pool.subnet for pool in network.pools if pool.version == version)
        raise InvalidInput(
            f"{address} is in no subnet of network {network.name}",
            f"choose one of {subnets}" if subnets else f"it has no subnet for IPv{version}",
        )
    problem = pool.unusable(address)
    if problem:
        raise InvalidInput(f"{address} {problem} of network {network.name}", "choose another address")
    holder = holders.get(str(address))
    if holder is not None:
        name = container_name(transaction, holder)
        raise Conflict(
            f"{address} on network {network.name} belongs to container {name}",
            "choose another address, or disconnect that container first",
            address=str(address),
            holder=name,
        )
    return f"{address}/{pool.prefix_length}"


def _first_free(
    network: Network, pools: t.Sequence[Pool], holders: t.Mapping[str, str], avoid: t.Container[str]
) -> str:
    for pool in pools:
        for address in _range(pool):
            text = str(address)
            if text not in holders and text not in avoid and not pool.unusable(address):
                return f"{text}/{pool.prefix_length}"
    where = ", ".join(pool.range or pool.subnet for pool in pools)
    raise Conflict(
        f"network {network.name} has no free address in {where}",
        "remove containers that are not needed, or give it a larger subnet with the module network",
    )


def _range(pool: Pool) -> t.Iterator[IpAddress]:
    return iter(ipaddress.ip_network(pool.range or pool.subnet))


def move_endpoints(
    network: Network, endpoints: t.Sequence[Endpoint], asked: t.Mapping[str, t.Collection[str]]
) -> list[Endpoint]:
    """The same places on a network whose subnets have changed. Each has, as far as the network still has
    them, the addresses that its container asked for (`asked`, by id) and those that it had; else the first
    free ones. Conflict if there is no room.
    """
    chosen: list[dict[int, str]] = [{} for _endpoint in endpoints]
    holders: dict[str, str] = {}

    def give(index: int, addresses: t.Iterable[str]) -> None:
        for address in addresses:
            version = ipaddress.ip_interface(address).version
            if version not in chosen[index] and address.partition("/")[0] not in holders:
                chosen[index][version] = address
                holders[address.partition("/")[0]] = endpoints[index].container_id

    wishes = [asked.get(endpoint.container_id, ()) for endpoint in endpoints]
    own = [[address.partition("/")[0] for address in endpoint.addresses] for endpoint in endpoints]
    for index, wish in enumerate(wishes):
        give(index, _possible(network, [address for address in own[index] if address in wish]))
    for index, wish in enumerate(wishes):
        give(index, _possible(network, wish))
    for index, addresses in enumerate(own):
        give(index, _possible(network, addresses))
    for version in (4, 6):
        pools = [pool for pool in network.pools if pool.version == version]
        for index in range(len(endpoints)):
            if pools and version not in chosen[index]:
                give(index, [_first_free(network, pools, holders, ())])
    return [
        endpoint._replace(addresses=tuple(addresses[version] for version in sorted(addresses)))
        for endpoint, addresses in zip(endpoints, chosen)
    ]


def _possible(network: Network, addresses: t.Iterable[str]) -> list[str]:
    """With prefix length; those that a container can have there."""
    pools = ((address, network.pool_of(address)) for address in addresses if network.offers(address))
    return [f"{address}/{pool.prefix_length}" for address, pool in pools if pool]
