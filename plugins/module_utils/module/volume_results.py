# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The results of `volume` and `volume_info`: volumes in the shape of `docker volume inspect`."""

from __future__ import annotations

import typing as t

from ..runtime.engine import Engine
from ..runtime.reconcile.volume import PlannedVolume
from ..runtime.volume.inspect import inspect_volume
from ..runtime.volume.records import (
    VolumeRecord,
    check_volume_name,
    containers_using,
    find_volume,
    list_volumes,
)
from .results import result_of


def volume_result(engine: Engine, planned: PlannedVolume, check_mode: bool) -> dict[str, t.Any]:
    """`volume` is what is there or, in check mode, what would be."""
    after = planned.after
    result = result_of(
        planned.plan,
        before={"exists": planned.before is not None},
        after={"exists": after is not None},
        warnings=list(planned.warnings),
    )
    if after is not None:
        there = None if check_mode else find_volume(engine.records.read(), after.name)
        result["volume"] = _inspected(engine, there or after)
    return result


def info_result(engine: Engine, names: t.Sequence[str] | None) -> dict[str, t.Any]:
    """The volumes asked for, each once, and the names that none has; without names, all volumes."""
    rows = engine.records.read()
    if names is None:
        records, missing = list_volumes(rows), []
    else:
        found = {name: find_volume(rows, check_volume_name(name)) for name in names}
        records = [record for record in found.values() if record]
        missing = [name for name, record in found.items() if record is None]
    volumes = [_inspected(engine, record) for record in records]
    return {
        "exists": not missing,
        "volumes": volumes,
        "volume": volumes[0] if names and len(names) == 1 and volumes else None,
        "missing": missing,
    }


def _inspected(engine: Engine, record: VolumeRecord) -> dict[str, t.Any]:
    return inspect_volume(engine.paths, record, containers_using(engine.records.read(), record.name))
