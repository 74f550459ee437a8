# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What stands in the way of the networks and ports that a container shall have: the same reservation as in
earnest, in a copy of the state that is forgotten again.
"""

from __future__ import annotations

import typing as t

from ..container.attachments import DEFAULT_NETWORK, attachments_of, has_interfaces
from ..container.records import find_container, find_container_in
from ..container.sharing import joined_containers
from ..errors import Conflict, InvalidInput, NotFound
from ..network.records import find_network
from .create_network import add_network, look_at_host
from .default_network import OPTIONS
from .reserve_network import change_network, reserve_network

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from ..state.database import Transaction


def rehearse_network(engine: Engine, wanted: ContainerRecord, old: ContainerRecord | None) -> str:
    """The first obstacle, as a sentence; empty if there is none.

    `wanted` is the container as it shall be: a new one has no id, or it has the id of `old`, which is changed
    in place; with another `old` it is going to replace that one.
    """
    mode, networks = attachments_of(wanted.config)
    for option, name in joined_containers(wanted.config).items():
        if find_container(engine.records, name) is None:
            return f"{option}: there is no container {name}"
    if not has_interfaces(mode):
        return ""
    with engine.records.rehearsal() as transaction:
        try:
            if DEFAULT_NETWORK in [item["name"] for item in networks]:
                _make_default_network(transaction, engine)
            if old is not None and old.id == wanted.id:
                change_network(transaction, old, wanted.config)
            else:
                reserve_network(transaction, wanted, old and find_container_in(transaction, old.id))
        except (Conflict, InvalidInput, NotFound) as error:
            return error.message
    return ""


def _make_default_network(transaction: Transaction, engine: Engine) -> None:
    if find_network(transaction, DEFAULT_NETWORK) is None:
        add_network(transaction, engine, DEFAULT_NETWORK, OPTIONS, look_at_host())
