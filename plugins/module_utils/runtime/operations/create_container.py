# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Create a container: a row in the state file, and its volumes. Starting it makes its directory."""

from __future__ import annotations

import os
import typing as t

from ..container.effective import effective_of
from ..container.records import (
    ContainerRecord,
    ContainerState,
    Replaces,
    find_container_in,
    insert_container,
)
from ..content.images import select_image
from ..errors import Conflict, NotFound, doing
from ..linux.locks import lock
from ..linux.processes import now
from ..volume.records import ensure_volume, use_volume

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..content.images import ImageRecord
    from ..engine import Engine
    from ..state.database import Transaction


def create_container(
    engine: Engine,
    name: str,
    config: ContainerConfig,
    image: ImageRecord,
    image_name: str,
    *,
    replaces: Replaces | None = None,
) -> ContainerRecord:
    """The new container's record; Conflict when the name is taken: of several at once, one wins.

    `replaces` makes it one half of a replacement: it takes over the anonymous volumes of the other.
    """
    record = ContainerRecord(
        id=os.urandom(32).hex(),
        name=name,
        image_id=image.id,
        image_name=image_name,
        image=image.image_config,
        config=config,
        created=now(),
        state=ContainerState(replaces=replaces),
    )
    images = lock(engine.paths, "content", shared=True)
    with doing(f"create container {name}"), images, engine.database.transaction() as transaction:
        _check_free(transaction, name)
        if select_image(transaction, image.id) is None:
            raise NotFound(f"image {image_name} was removed meanwhile", "run the task again")
        record.ancestor = _first_of_chain(transaction, replaces)
        _insert(engine, transaction, record)
    return record


def _check_free(transaction: Transaction, name: str) -> None:
    taken = find_container_in(transaction, name)
    if taken is not None:
        raise Conflict(f"the name is taken by container {taken.id[:12]}", "choose another name")


def _first_of_chain(transaction: Transaction, replaces: Replaces | None) -> str:
    old = find_container_in(transaction, replaces.container_id) if replaces else None
    return (old.ancestor or old.id) if old else ""


def _insert(engine: Engine, transaction: Transaction, record: ContainerRecord) -> None:
    """Everything that the image and the options say is checked here, before anything is written."""
    whole = effective_of(record)
    insert_container(transaction, record)
    for volume in whole.volumes:
        if volume.type == "volume":
            ensure_volume(transaction, engine.paths, volume.source, anonymous=volume.anonymous)
            use_volume(transaction, volume.source, record.id)
