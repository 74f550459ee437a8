# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Update a volume in place: its labels, of which only the record knows."""

from __future__ import annotations

import typing as t

from ..errors import doing
from ..volume.records import VolumeRecord, save_volume
from .create_volume import existing_volume

if t.TYPE_CHECKING:
    from ..engine import Engine


def update_volume(engine: Engine, name: str, labels: t.Mapping[str, str]) -> VolumeRecord:
    with doing(f"update volume {name}"), engine.database.transaction() as transaction:
        record = existing_volume(transaction, name)._replace(labels=dict(labels))
        save_volume(transaction, record)
        return record
