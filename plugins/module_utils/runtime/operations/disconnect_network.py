# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Disconnect a container from a network, running or not. If its own options name the network, its next task
connects it again.
"""

from __future__ import annotations

import typing as t

from ..network.records import delete_endpoint
from .history import note
from .locked_container import acting, locked_container
from .rewire_container import rewire_container

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def disconnect_network(engine: Engine, name: str, network: str) -> ContainerRecord:
    """Fine if it is not connected."""
    phrase = acting(engine, "disconnect", name, f" from network {network}")
    with phrase as found, locked_container(engine, found.id) as record:
        rewire_container(engine, record, lambda rows: delete_endpoint(rows, record.id, network))
        note(engine, "network", "disconnect", network, name=network, container=record.id)
        return record
