# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on one network, in the state file: its addresses, its MAC, the name of its interface.

What was chosen once is kept, also when it is fixed no longer. What another container has is refused, unless
this one is going to replace it: then the interface is `postponed`, in the state file without what it waits
for, and in no namespace (take_over_network.py).
"""

from __future__ import annotations

import ipaddress
import os
import typing as t

from ..container.attachments import Item, attachments_of, fixed_addresses
from ..container.network_values import INTERFACE_NAME
from ..errors import Conflict, InvalidInput, NotFound
from ..network.addresses import reserve
from ..network.model import IPVLAN, Endpoint, Network
from ..network.records import (
    addresses_in,
    container_name,
    endpoints_in,
    endpoints_of,
    find_network,
    save_endpoint,
)

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..state.database import Reader, Transaction


def occupy_network(
    transaction: Transaction, record: ContainerRecord, item: Item, *, yields: str = ""
) -> Endpoint:
    """A place on the network that `item` (network_values.py) names, or the one that is there, as `item`
    wants it. An interface that has to be made anew for it has another id.

    What container `yields` has is no conflict, and is left to it. NotFound, Conflict or InvalidInput.
    """
    network = find_network(transaction, item["name"])
    if network is None:
        raise NotFound(f"there is no network {item['name']}", "make it with the module network")
    had = endpoint_on(transaction, record.id, network.name)
    interface = _interface(transaction, record, item, had)
    if had is not None and interface == had.interface and not lacks_something(item, had):
        endpoint = had
    else:
        addresses = _addresses(transaction, network, record.id, item, had, yields)
        mac = _mac(transaction, network, record.id, item, yields)
        if not mac and network.driver != IPVLAN:
            mac = _free_mac(transaction, network, record.id, addresses)
        endpoint = Endpoint(record.id, network.name, os.urandom(32).hex(), interface, addresses, mac)
    endpoint = endpoint._replace(
        aliases=tuple(item.get("aliases", ())),
        links=tuple((name, alias) for name, alias in item.get("links", ())),
        options=item.get("driver_opts", {}),
        priority=_priority(record, item),
    )
    save_endpoint(transaction, endpoint)
    return endpoint


def endpoint_on(reader: Reader, container_id: str, network: str) -> Endpoint | None:
    found = (endpoint for endpoint in endpoints_of(reader, container_id) if endpoint.network == network)
    return next(found, None)


def lacks_something(item: Item, had: Endpoint) -> bool:
    """What is fixed that the interface has not?"""
    own = [address.partition("/")[0] for address in had.addresses]
    return any(address not in own for address in fixed_addresses(item)) or (
        item.get("mac_address", had.mac) != had.mac
    )


def mac_of(addresses: t.Sequence[str]) -> str:
    """A MAC of our own making, locally administered, of one station: whoever has an address next has the MAC
    that its neighbours remember.
    """
    last = ipaddress.ip_interface(addresses[0]).packed[-4:] if addresses else os.urandom(4)
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x42, *last))


def _free_mac(
    transaction: Transaction, network: Network, container_id: str, addresses: t.Sequence[str]
) -> str:
    """Containers keep their MAC when their network moves to another subnet, so somebody may have it."""
    others = {
        endpoint.mac
        for endpoint in endpoints_in(transaction, network.name)
        if endpoint.container_id != container_id
    }
    mac = mac_of(addresses)
    while mac in others:
        mac = mac_of(())
    return mac


def _priority(record: ContainerRecord, item: Item) -> int:
    """Of those with the same number, the network of the mode comes first."""
    first = attachments_of(record.config).networks[0]["name"] == item["name"]
    return 2 * int(item.get("gw_priority", 0)) + int(first)


def _interface(transaction: Transaction, record: ContainerRecord, item: Item, had: Endpoint | None) -> str:
    others = {
        endpoint.interface
        for endpoint in endpoints_of(transaction, record.id)
        if endpoint.network != item["name"]
    }
    asked = item.get("driver_opts", {}).get(INTERFACE_NAME)
    if asked in others:
        raise Conflict(f"two interfaces of the container are called {asked}", "choose another name")
    if asked or had:
        return str(asked or (had and had.interface))
    return next(name for name in (f"eth{number}" for number in range(len(others) + 1)) if name not in others)


def _addresses(
    transaction: Transaction,
    network: Network,
    container_id: str,
    item: Item,
    had: Endpoint | None,
    yields: str,
) -> tuple[str, ...]:
    holders = addresses_in(transaction, network.name)
    late = [address for address in fixed_addresses(item) if yields and holders.get(address) == yields]
    asked = {}
    for version in (4, 6):
        fixed = item.get(f"ipv{version}_address", "")
        asked[version] = fixed if fixed not in late else ""
        if not fixed and had is not None:
            asked[version] = had.address(version)
    chosen = reserve(transaction, network, container_id, asked[4], asked[6])
    waiting = {":" in address for address in late}
    return tuple(address for address in chosen if (":" in address) not in waiting)


def _mac(transaction: Transaction, network: Network, container_id: str, item: Item, yields: str) -> str:
    """The one that is asked for; empty if any will do, or while container `yields` has it."""
    asked = item.get("mac_address", "")
    if asked and network.driver == IPVLAN:
        raise InvalidInput(
            f"mac_address: interfaces on network {network.name} have the MAC of its parent (ipvlan)",
            "leave it out, or use a network with driver macvlan",
        )
    holders = [
        endpoint.container_id
        for endpoint in (endpoints_in(transaction, network.name) if asked else ())
        if endpoint.mac == asked and endpoint.container_id != container_id
    ]
    if holders and holders != [yields]:
        holder = container_name(transaction, holders[0])
        raise Conflict(
            f"MAC address {asked} on network {network.name} belongs to container {holder}",
            "choose another one",
        )
    return "" if holders else asked
