# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Remove a volume with its data, or make it anew. Both refuse while containers need it.

What is mounted on it is unmounted and keeps its data: a directory of the host, an export of another one.
"""

from __future__ import annotations

import typing as t

from ..errors import doing
from ..linux.locks import forget_lock
from ..linux.trees import remove_tree
from ..volume import records
from .create_volume import existing_volume
from .history import note
from .locked_volume import lock_name, locked_volume

if t.TYPE_CHECKING:
    from ..engine import Engine


def remove_volume(engine: Engine, name: str) -> None:
    """NotFound if there is none; Conflict, with the names, while containers need it."""
    with doing(f"remove volume {name}"):
        with locked_volume(engine, name):
            with engine.database.transaction() as transaction:
                trashed = records.remove_volume(transaction, engine.paths, name)
            forget_lock(engine.paths, lock_name(name))
        if trashed is not None:
            remove_tree(trashed)
    note(engine, "volume", "destroy", name, driver="local")


def recreate_volume(
    engine: Engine, name: str, labels: t.Mapping[str, str], driver_options: t.Mapping[str, str]
) -> records.VolumeRecord:
    """An empty volume of the same name, in one step: there is always one of the two."""
    with doing(f"recreate volume {name}"):
        with locked_volume(engine, name), engine.database.transaction() as transaction:
            trashed = records.remove_volume(transaction, engine.paths, name)
            records.ensure_volume(
                transaction, engine.paths, name, labels=labels, driver_options=driver_options
            )
            record = existing_volume(transaction, name)
        if trashed is not None:
            remove_tree(trashed)
        return record
