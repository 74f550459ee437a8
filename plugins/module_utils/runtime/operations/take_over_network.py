# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Fixed addresses, MACs and published ports go from a container to the one that replaces it, and back when
that fails. In the state file; the one that gives does not run.

The old container's endpoint notes what it has lent among its options.
"""

from __future__ import annotations

import typing as t

from ..container.attachments import Item, attachments_of, fixed_addresses
from ..container.port_values import wanted_ports
from ..network.model import Endpoint
from ..network.ports import reserve_ports, take_over_ports
from ..network.records import endpoints_of, save_endpoint
from .occupy_network import endpoint_on, lacks_something, mac_of, occupy_network

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..state.database import Transaction

_ADDRESSES, _MAC = "lent addresses", "lent mac"


def take_over_network(transaction: Transaction, old: ContainerRecord, new: ContainerRecord) -> None:
    """Its interfaces that waited for something (occupy_network.py) do not any more."""
    for item in attachments_of(new.config).networks:
        mine, theirs = (endpoint_on(transaction, record.id, item["name"]) for record in (new, old))
        if mine is not None and lacks_something(item, mine):
            if theirs is not None:
                _lend(transaction, theirs, item)
            occupy_network(transaction, new, item)
    take_over_ports(transaction, old.id, new.id, wanted_ports(new.config, new.image.exposed_ports))


def give_back_network(transaction: Transaction, old: ContainerRecord, new: ContainerRecord | None) -> None:
    """Undo it; the new container is going to be removed, or is already. Fine if it is undone."""
    for theirs in endpoints_of(transaction, old.id):
        addresses, mac = theirs.options.get(_ADDRESSES, "").split(), theirs.options.get(_MAC, "")
        if not (addresses or mac):
            continue
        mine = endpoint_on(transaction, new.id, theirs.network) if new else None
        if mine is not None:
            kept = tuple(address for address in mine.addresses if address not in addresses)
            save_endpoint(transaction, mine._replace(addresses=kept))
        options = {key: text for key, text in theirs.options.items() if key not in (_ADDRESSES, _MAC)}
        whole = tuple(sorted((*theirs.addresses, *addresses), key=_is_ipv6))
        save_endpoint(transaction, theirs._replace(addresses=whole, mac=mac or theirs.mac, options=options))
    wanted = wanted_ports(old.config, old.image.exposed_ports)
    if new is not None:
        take_over_ports(transaction, new.id, old.id, wanted)
    else:
        reserve_ports(transaction, old.id, wanted)


def _lend(transaction: Transaction, theirs: Endpoint, item: Item) -> None:
    fixed = fixed_addresses(item)
    lent = [address for address in theirs.addresses if address.partition("/")[0] in fixed]
    kept = tuple(address for address in theirs.addresses if address not in lent)
    options = dict(theirs.options)
    if lent:
        options[_ADDRESSES] = " ".join(lent)
    if item.get("mac_address") == theirs.mac:
        options[_MAC] = theirs.mac
    mac = mac_of(kept) if _MAC in options else theirs.mac
    save_endpoint(transaction, theirs._replace(addresses=kept, mac=mac, options=options))


def _is_ipv6(address: str) -> bool:
    return ":" in address
