# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Give a container another name, running or not. Its id, and so everything on disk and in the kernel,
stays; other containers find it by the new name.
"""

from __future__ import annotations

import typing as t

from ..container.attachments import has_interfaces, network_mode
from ..container.records import find_container_in, save_name
from ..errors import Conflict
from .history import note_container
from .locked_container import acting, locked_container

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def rename_container(engine: Engine, name: str, new_name: str) -> ContainerRecord:
    """Fine if it has that name; Conflict if another container has."""
    phrase = acting(engine, "rename", name, f" to {new_name}")
    with phrase as found, locked_container(engine, found.id) as record:
        with engine.database.transaction() as transaction:
            other = find_container_in(transaction, new_name)
            if other is not None and other.id != record.id:
                raise Conflict(f"the name is taken by container {other.id[:12]}", "choose another name")
            save_name(transaction, record.id, new_name)
        old_name, record.name = record.name, new_name
        if old_name != new_name:
            note_container(engine, "rename", record, oldName=old_name)
        if record.state.run is not None and has_interfaces(network_mode(record.config)):
            from .refresh_network import refresh_network

            refresh_network(engine)
        return record
