# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The network that options describe: with subnets where none were named, none of which anybody else has."""

from __future__ import annotations

import typing as t

from ..errors import Conflict, InvalidInput
from ..network.addresses import choose_pools
from ..network.model import BRIDGE, IpNetwork, Network, Pool
from ..network.options import NetworkOptions, named_subnets, network_from
from ..network.records import list_networks
from ..paths import DEFAULT_ROOT, Paths

if t.TYPE_CHECKING:
    from ..network.links import HostView
    from ..state.database import Reader

Look = t.Callable[[], "HostView"]
"""Gives the routes, addresses and links of the host; called only where something has to be chosen."""

_MACHINE_ID = "/etc/machine-id"


def choose_network(
    rows: Reader, paths: Paths, options: NetworkOptions, before: Network, look: Look
) -> Network:
    """`before` is what there is of it: at least a name, an id and a time. What was chosen then is kept.

    Changes nothing. Conflict where a subnet or a bridge of that name is somebody else's.
    """
    others = [network for network in list_networks(rows) if network.name != before.name]
    _check_subnets(options, before, others, look)
    _check_bridge(options, before, others, look)
    kept = (*options.pools, *_chosen_before(options, before))
    missing = {4: options.ipv4, 6: options.ipv6}
    missing.update({pool.version: False for pool in kept})
    taken: list[IpNetwork] = []
    if any(missing.values()):
        taken = [*look().subnets, *(pool.network for other in others for pool in other.pools)]
    pools = choose_pools(
        kept, ipv4=missing[4], ipv6=missing[6], taken=taken, start=_start(paths), site=_site(paths)
    )
    network = network_from(before.name, options, pools, before.id, before.created)
    _check_routes(network)
    return network


def _chosen_before(options: NetworkOptions, before: Network) -> list[Pool]:
    named = {pool.version for pool in options.pools}
    wanted = [version for version, is_asked in ((4, options.ipv4), (6, options.ipv6)) if is_asked]
    return [
        pool
        for pool in before.pools
        if pool.subnet not in named_subnets(before) and pool.version in wanted and pool.version not in named
    ]


def _check_subnets(options: NetworkOptions, before: Network, others: t.Sequence[Network], look: Look) -> None:
    """A subnet that is named may be part of a route of the host, but must not hide one."""
    own: list[t.Any] = [pool.network for pool in before.pools]
    new: list[t.Any] = [pool.network for pool in options.pools if pool.network not in own]
    for subnet in new:
        for other in others:
            for pool in other.pools:
                if pool.version == subnet.version and subnet.overlaps(pool.network):
                    raise Conflict(
                        f"the subnet {subnet} overlaps {pool.subnet} of network {other.name}",
                        "choose another one",
                    )
    if options.driver != BRIDGE or not new:
        return  # those of macvlan and ipvlan are the subnets of the parent's LAN
    for there in look().subnets:
        if any(_contains(subnet, there) for subnet in own):
            continue
        for subnet in new:
            if _contains(subnet, there):
                raise Conflict(
                    f"the subnet {subnet} would hide {there}, which this host reaches in another way",
                    "choose another one",
                )


def _contains(subnet: t.Any, other: t.Any) -> bool:
    return bool(other.version == subnet.version and other.subnet_of(subnet))


def _check_bridge(options: NetworkOptions, before: Network, others: t.Sequence[Network], look: Look) -> None:
    if options.bridge in ("", before.bridge):
        return
    for other in others:
        if other.bridge == options.bridge:
            raise Conflict(
                f"network {other.name} has the bridge {options.bridge}", "choose another name for this one"
            )
    if options.bridge in look().links:
        raise Conflict(
            f"the host has an interface {options.bridge} already",
            "choose another name: a network makes its bridge itself",
        )


def _check_routes(network: Network) -> None:
    for route in network.routes:
        if network.pool_of(route.gateway) is None:
            subnets = ", ".join(pool.subnet for pool in network.pools)
            raise InvalidInput(
                f"routes: the gateway {route.gateway} is not on the network, which has {subnets}",
                "choose one that is, or name the subnet with ipam_config",
            )


def _start(paths: Paths) -> int:
    """Engines know nothing of each other, and their networks are not on the host until somebody uses them:
    they begin in different places.
    """
    if paths.root == DEFAULT_ROOT:
        return 0
    import hashlib

    return int.from_bytes(hashlib.sha256(paths.instance.encode()).digest()[:4], "big")


def _site(paths: Paths) -> str:
    try:
        with open(_MACHINE_ID, encoding="ascii", errors="replace") as file:
            machine = file.read().strip()
    except OSError:
        machine = ""
    return f"{machine} {paths.root}"
