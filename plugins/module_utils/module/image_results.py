# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The results of `image` and `image_info`: images in the shape of `docker image inspect`."""

from __future__ import annotations

import typing as t

from ..runtime.content.images import (
    ImageRecord,
    find_image,
    full_id,
    list_images,
    names_of,
    select_image,
)
from ..runtime.content.inspect import inspect_image
from ..runtime.engine import Engine
from ..runtime.oci.reference import is_image_id, parse_reference
from ..runtime.reconcile.image import PlannedImage
from .results import result_of

_NO_PULL = {"bytes": 0, "layers": 0, "reused": 0, "seconds": 0.0}


def image_result(engine: Engine, planned: PlannedImage, facts: dict[str, t.Any]) -> dict[str, t.Any]:
    """`facts` are those of the steps. `image` is what is there, in check mode before the change; or empty."""
    record = find_image(engine.records, planned.wanted) if planned.wanted is not None else None
    own = {
        "image": _inspected(engine, record) if record else {},
        "pull": dict(_NO_PULL),
        "freed": planned.freed,
        **facts,
        "warnings": [*planned.warnings, *facts.get("warnings", ())],
    }
    return result_of(planned.plan, **own)


def info_result(engine: Engine, names: t.Sequence[str] | None) -> dict[str, t.Any]:
    """The images asked for, each once, and the names that lead to none; without names, all images."""
    rows = engine.records.read()
    if not names:
        return {"images": [_inspected(engine, record) for record in list_images(rows)], "missing": []}
    found: dict[str, ImageRecord] = {}
    missing = []
    for name in names:
        record = select_image(rows, full_id(name) if is_image_id(name) else parse_reference(name))
        if record is None:
            missing.append(name)
        else:
            found[record.id] = record
    return {"images": [_inspected(engine, record) for record in found.values()], "missing": missing}


def _inspected(engine: Engine, record: ImageRecord) -> dict[str, t.Any]:
    return inspect_image(record, names_of(engine.records.read(), record.id))
