# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Create a volume: a row and a directory. What its options name is mounted when a container starts."""

from __future__ import annotations

import typing as t

from ..errors import Conflict, doing
from ..volume.records import VolumeRecord, ensure_volume, find_volume
from .history import note

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..state.database import Transaction


def create_volume(
    engine: Engine,
    name: str,
    labels: t.Mapping[str, str] | None = None,
    driver_options: t.Mapping[str, str] | None = None,
) -> VolumeRecord:
    """The new volume's record; Conflict when somebody has made one of that name meanwhile."""
    with doing(f"create volume {name}"), engine.database.transaction() as transaction:
        if find_volume(transaction, name) is not None:
            raise Conflict("it exists already", "run the task again")
        ensure_volume(transaction, engine.paths, name, labels=labels, driver_options=driver_options)
        record = existing_volume(transaction, name)
    note(engine, "volume", "create", name, driver="local")
    return record


def existing_volume(transaction: Transaction, name: str) -> VolumeRecord:
    found = find_volume(transaction, name)
    if found is None:
        raise Conflict(f"volume {name} is gone", "another task has removed it: run the task again")
    return found
