# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How a container is connected: what `network_mode`, `networks`, `networks_cli_compatible`, `mac_address` and
`links` mean together.

    host             the host's own network
    none             a loopback interface of its own, and nothing else
    container:<name> the network of another container
    ns:<path>        a network namespace that somebody else has made
    <network>        interfaces on networks of the engine: on this one, and on those in `networks`
"""

from __future__ import annotations

import typing as t

from ..errors import Conflict
from .config import ContainerConfig

if t.TYPE_CHECKING:
    from .records import ContainerRecord

DEFAULT_NETWORK_MODE = "bridge"

DEFAULT_NETWORK = "coracle"
"""The network that the mode `bridge` means; that of network/model.py."""

BRIDGE, HOST, NONE = "bridge", "host", "none"
JOINED, NAMESPACE = "container:", "ns:"

Item = dict[str, t.Any]


class Attachments(t.NamedTuple):
    """`mode` is a normal form of `network_mode`; `networks` are those of `networks` (network_values.py) with
    that of the mode first, which has the default route unless another one has a higher priority.
    """

    mode: str
    networks: tuple[Item, ...] = ()


def attachments_of(config: ContainerConfig) -> Attachments:
    mode, networks = network_mode(config), config.networks or []
    if not has_interfaces(mode):
        return Attachments(mode)
    name = DEFAULT_NETWORK if mode == BRIDGE else mode
    first = next((item for item in networks if item["name"] == name), {"name": name})
    if config.mac_address and "mac_address" not in first:
        first = {**first, "mac_address": config.mac_address}
    if config.links:
        first = {**first, "links": _together(config.links, first.get("links", []))}
    return Attachments(mode, (first, *(item for item in networks if item["name"] != name)))


def _together(links: list[list[str]], others: t.Any) -> list[list[str]]:
    return sorted([*links, *(link for link in others if link not in links)])


def network_mode(config: ContainerConfig) -> str:
    """The mode that was asked for; else the first of `networks`, unless the default network comes before."""
    if config.network_mode is not None:
        return config.network_mode
    if config.networks and config.networks_cli_compatible is not False:
        first = str(config.networks[0]["name"])
        return BRIDGE if first == DEFAULT_NETWORK else first
    return DEFAULT_NETWORK_MODE


def has_interfaces(mode: str) -> bool:
    """Is the container on networks of the engine?"""
    return mode not in (HOST, NONE) and not shares_network(mode)


def check_connectable(record: ContainerRecord) -> None:
    """Conflict if the container is on no network of the engine, and so cannot come onto another one."""
    mode = network_mode(record.config)
    if not has_interfaces(mode):
        raise Conflict(
            f"container {record.name} has network_mode {mode}",
            "give it a network with network_mode or networks, which makes another container of it",
        )


def shares_network(mode: str) -> bool:
    """Is its network that of somebody else, other than the host?"""
    return mode.startswith((JOINED, NAMESPACE))


def joined_container(mode: str) -> str:
    """The name of the container whose network this one shares; empty: of none."""
    return mode[len(JOINED) :] if mode.startswith(JOINED) else ""


def joined_namespace(mode: str) -> str:
    """The path of the network namespace that was asked for; empty: none."""
    return mode[len(NAMESPACE) :] if mode.startswith(NAMESPACE) else ""


def fixed_addresses(item: Item) -> list[str]:
    """Those that an item of `networks` asks for."""
    return [item[key] for key in ("ipv4_address", "ipv6_address") if key in item]


def is_postponed(item: Item, addresses: t.Iterable[str], mac: str, offers: t.Callable[[str], bool]) -> bool:
    """Is there something fixed that the interface with these addresses does not have (yet)? `offers` tells
    whether containers can have an address on the network: for one that they cannot (any more), nobody waits.
    """
    own = [address.partition("/")[0] for address in addresses]
    lacking = [address for address in fixed_addresses(item) if address not in own and offers(address)]
    return bool(lacking) or item.get("mac_address", mac) != mac
