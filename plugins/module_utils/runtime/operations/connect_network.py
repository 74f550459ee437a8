# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Connect a container to a network, running or not, whatever its options say."""

from __future__ import annotations

import typing as t

from ..container.attachments import Item, attachments_of, check_connectable
from ..container.records import ContainerRecord
from .history import note
from .locked_container import acting, locked_container
from .occupy_network import endpoint_on, occupy_network
from .rewire_container import rewire_container

if t.TYPE_CHECKING:
    from ..engine import Engine


def connect_network(engine: Engine, name: str, network: str, asked: Item | None = None) -> ContainerRecord:
    """Fine if it is connected. It is connected as `asked` says (container/network_values.py), else as its own
    options do where they name the network. Conflict for a container that is on no network of the engine.
    """
    phrase = acting(engine, "connect", name, f" to network {network}")
    with phrase as found, locked_container(engine, found.id) as record:
        check_connectable(record)
        is_connected = endpoint_on(engine.database.read(), record.id, network) is not None
        if not is_connected or record.state.rewiring is not None:
            item = asked or _item(record, network)
            rewire_container(engine, record, lambda rows: occupy_network(rows, record, item))
            note(engine, "network", "connect", network, name=network, container=record.id)
        return record


def _item(record: ContainerRecord, network: str) -> Item:
    asked = (item for item in attachments_of(record.config).networks if item["name"] == network)
    return next(asked, {"name": network})
