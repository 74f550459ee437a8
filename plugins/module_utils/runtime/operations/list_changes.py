# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a container has changed in the root file system that its image gave it. Nothing is mounted for it, and
it does not matter whether the container runs.
"""

from __future__ import annotations

import json
import os
import typing as t

from ..content.images import find_image
from ..errors import NotFound, doing
from ..layers.changes import Change, changes
from ..layers.snapshots import lower_directories

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def list_changes(engine: Engine, record: ContainerRecord) -> list[Change]:
    with doing(f"look at the changes of container {record.name}"):
        image = find_image(engine.records, record.image_id)
        if image is None:
            raise NotFound(f"image {record.image_name} ({record.image_id[7:19]}) is gone", "pull it again")
        lower = lower_directories(engine.paths, image.directories, image.parents_layer)
        directory = engine.paths.container(record.id)
        return changes(os.path.join(directory, "upper"), lower, _mounted_in(directory))


def _mounted_in(directory: str) -> list[str]:
    """Where the OCI runtime has mounted something the last time the container was started."""
    try:
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            mounts = json.load(file).get("mounts", ())
    except (FileNotFoundError, ValueError):
        return []
    return [mount["destination"] for mount in mounts]
