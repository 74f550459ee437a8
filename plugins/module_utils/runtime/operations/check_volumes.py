# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Does every volume have its directory, and every directory its volume? What is mounted that nobody uses?"""

from __future__ import annotations

import functools
import os
import typing as t

from ..container.records import list_containers
from ..linux.mounts import mounts_below, unmount_below
from ..volume.records import ensure_volume, user_ids, volume_data
from .findings import Finding
from .locked_volume import locked_volume

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .findings import Findings


def check_volumes(engine: Engine) -> Findings:
    known = {row["name"] for row in engine.records.read().all("SELECT name FROM volumes")}
    for name in sorted(known):
        if not os.path.isdir(volume_data(engine.paths, name)):
            yield Finding(
                f"volume {name} has lost its directory, and what was in it: it gets an empty one",
                functools.partial(_make_directory, engine, name),
            )
        elif _is_mounted_for_nobody(engine, name):
            yield Finding(
                f"volume {name} is mounted, and no container runs with it",
                functools.partial(_unmount, engine, name),
            )
    for name in sorted(set(_names(engine.paths.volumes)) - known):
        place = os.path.join(engine.paths.volumes, name)
        if _names(place) and _names(os.path.join(place, "_data")):
            yield Finding(
                f"{place} has files, and is no volume",
                advice=f"coracle volume create {name} takes it over; else move it away",
            )


def _make_directory(engine: Engine, name: str) -> None:
    with engine.database.transaction() as transaction:
        ensure_volume(transaction, engine.paths, name)


def _is_mounted_for_nobody(engine: Engine, name: str) -> bool:
    if not mounts_below(os.path.join(engine.paths.volumes, name)):
        return False
    running = {
        record.id
        for record in list_containers(engine.records, hidden=True, damaged=[])
        if record.state.run is not None
    }
    return running.isdisjoint(user_ids(engine.records.read(), name))


def _unmount(engine: Engine, name: str) -> None:
    with locked_volume(engine, name):
        if _is_mounted_for_nobody(engine, name):
            unmount_below(os.path.join(engine.paths.volumes, name))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
