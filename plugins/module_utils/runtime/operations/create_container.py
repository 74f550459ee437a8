# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Create a container: a row in the state file, with its addresses and ports, and its volumes, filled with
what the image has there.

Starting it makes the rest. A kill after the row leaves a container whose volumes its start fills.
"""

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
from ..content.images import select_image, use_image
from ..errors import Conflict, IntegrityError, NotFound, collecting, doing
from ..linux.locks import lock
from ..linux.processes import now
from ..oci.reference import familiar_name, is_image_id, parse_reference
from ..volume.records import ensure_volume, find_volume, use_volume
from .history import note, note_container
from .inherit_volumes import inherited_volumes
from .locked_container import locked_container
from .reserve_network import ensure_networks, reserve_network

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.storage import VolumeMount
    from ..content.images import ImageRecord
    from ..engine import Engine
    from ..state.database import Reader, Transaction


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
    with doing(f"create container {name}"):
        ensure_networks(engine, config)
        images = lock(engine.paths, "content", shared=True)
        made: list[str] = []
        with images, engine.database.transaction() as transaction:
            _check_free(transaction, name)
            if select_image(transaction, image.id) is None:
                raise NotFound(f"image {image_name} was removed meanwhile", "run the task again")
            old = find_container_in(transaction, replaces.container_id) if replaces else None
            record.ancestor = (old.ancestor or old.id) if old else ""
            record.inherited = inherited_volumes(transaction, config)
            record.mounted_images = _mounted_images(transaction, config)
            new = _insert(engine, transaction, record, made)
            reserve_network(transaction, record, old)
        for volume in made:
            note(engine, "volume", "create", volume, driver="local")
        if new:
            _fill(engine, record, new)
    note_container(engine, "create", record)
    return record


def _check_free(transaction: Transaction, name: str) -> None:
    taken = find_container_in(transaction, name)
    if taken is not None:
        raise Conflict(f"the name is taken by container {taken.id[:12]}", "choose another name")


def _mounted_images(transaction: Transaction, config: ContainerConfig) -> dict[str, str]:
    """Ids of the images that are mounted, by name."""
    names = [mount["source"] for mount in config.mounts or () if mount["type"] == "image"]
    return {name: image_to_mount(transaction, name).id for name in names}


def image_to_mount(rows: Reader, name: str) -> ImageRecord:
    """`name` is canonical, or an id."""
    found = select_image(rows, name if is_image_id(name) else parse_reference(name))
    if found is None:
        raise NotFound(
            f"mounts: image {familiar_name(name)} is not on this host", "pull it with the image module"
        )
    return found


def _insert(
    engine: Engine, transaction: Transaction, record: ContainerRecord, made: list[str]
) -> list[VolumeMount]:
    """Everything that the image and the options say is checked here, before anything is written. Returns the
    mounts whose volumes may have to be filled; `made` gets the names of volumes that were not there.
    """
    whole = effective_of(record)
    insert_container(transaction, record)
    new = []
    for mount in whole.volumes:
        if mount.type == "image":
            use_image(transaction, mount.image_id, record.id)
        elif mount.type == "volume":
            made += [] if find_volume(transaction, mount.source) else [mount.source]
            ensure_volume(
                transaction,
                engine.paths,
                mount.source,
                labels=mount.labels,
                anonymous=mount.anonymous,
                driver_options=mount.driver_options,
            )
            use_volume(transaction, mount.source, record.id)
            volume = find_volume(transaction, mount.source)
            new += [mount] if volume and not volume.filled and not volume.driver_options else []
    return new


def _fill(engine: Engine, record: ContainerRecord, mounts: t.Iterable[VolumeMount]) -> None:
    """Volumes with driver options are filled at the start, which mounts them."""
    from .fill_volume import fill_volume, wants_filling
    from .mounted_root import mounted_root
    from .remove_container import remove_container

    mounts = [mount for mount in mounts if wants_filling(engine, mount)]
    if not mounts:
        return
    try:
        with locked_container(engine, record.id), mounted_root(engine, record) as root:
            for mount in mounts:
                fill_volume(engine, mount, root)
    except IntegrityError:
        return  # a damaged image is made whole before the start, which then fills the volumes
    except BaseException:
        with collecting([]):
            remove_container(engine, record.id, volumes=True)
        raise
