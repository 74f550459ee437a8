# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Starts of the containers that another one requires, planned before its own."""

from __future__ import annotations

import typing as t

from ..container.sharing import requirement_missing
from ..errors import Conflict, NotFound
from .container_steps import StartContainer

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from .container_sight import Sight


def required_starts(
    sight: Sight, record: ContainerRecord, name: str, warnings: list[str], above: tuple[str, ...] = ()
) -> list[StartContainer]:
    """Those that do not run, each after what it requires itself. NotFound where one does not exist; in check
    mode, in which a task before this one would have made it, a warning.
    """
    starts: dict[str, StartContainer] = {}
    path = (*above, name)
    for other in record.config.requires or ():
        if sight.comes_first(other):
            continue
        found = sight.container(other)
        if found is None:
            missing: NotFound = requirement_missing(other)
            if not sight.rehearses:
                missing.during(f"container {name}")
                raise missing
            warnings.append(f"container {name}: {missing}; the real task fails if that is still so")
        elif not found.running:
            if other in path:
                circle = " -> ".join([*path[path.index(other) :], other])
                raise Conflict(f"container {name}: requires: {circle} require each other", "break the circle")
            for step in required_starts(sight, found.record, other, warnings, path):
                starts.setdefault(step.name, step)
            starts.setdefault(other, StartContainer(other, False, f"container {name} requires it"))
    return list(starts.values())
