# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The root file system of a container, from the layers of its image."""

from __future__ import annotations

import contextlib
import typing as t

from ..content.images import find_image
from ..errors import NotFound
from ..layers.snapshots import lower_directories, mount_root, unmount_root

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def mount_container(engine: Engine, record: ContainerRecord) -> str:
    """The path of the root, mounted. The end of a run unmounts it (settle_run.py)."""
    image = find_image(engine.database, record.image_id)
    if image is None:
        raise NotFound(f"image {record.image_name} ({record.image_id[7:19]}) is gone", "pull it again")
    lower = lower_directories(engine.paths, image.directories, image.parents_layer)
    return mount_root(lower, engine.paths.container(record.id))


@contextlib.contextmanager
def mounted_root(engine: Engine, record: ContainerRecord) -> t.Iterator[str]:
    """The same while the block runs, for a container without a run. Its lock is held."""
    root = mount_container(engine, record)
    try:
        yield root
    finally:
        unmount_root(engine.paths.container(record.id))
