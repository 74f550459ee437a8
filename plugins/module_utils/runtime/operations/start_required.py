# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Start what a container requires (`requires`) before the container itself. No lock is held meanwhile."""

from __future__ import annotations

import typing as t

from ..container.records import ContainerRecord, find_container
from ..container.sharing import requirement_missing
from ..container.status import observe
from ..errors import Conflict

if t.TYPE_CHECKING:
    from ..engine import Engine


def start_required(engine: Engine, record: ContainerRecord, above: tuple[str, ...] = ()) -> None:
    """Fine for those that run. NotFound where one does not exist, Conflict where they go in a circle."""
    if not record.config.requires or (not above and observe(engine, record).alive):
        return
    from .start_container import start_container

    path = (*above, record.name)
    for name in record.config.requires:
        other = find_container(engine.records, name)
        if other is None:
            raise requirement_missing(name)
        if observe(engine, other).alive:
            continue
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            raise Conflict(f"requires: {circle} require each other", "break the circle")
        start_required(engine, other, path)
        start_container(engine, other.id)
