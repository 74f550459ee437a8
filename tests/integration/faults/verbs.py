# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Operations for trials: functions of an engine and JSON values that driver.py can call in another process.

Small ones on what everything stands on; those that the engine offers as operations have a line each.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import list_images
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import (
    make_private_directory,
    write_atomically,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import Platform
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.copy_by_docker import copy_in
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_container import (
    create_container as create,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pull_image import pull_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container as remove,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_image import (
    remove_image,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.start_container import (
    start_container as start,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container as stop,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.prune import (
    PruneRequest,
    plan_prune,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.prune_filters import Filters
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.records import (
    ensure_volume,
    remove_volume,
)

if t.TYPE_CHECKING:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine


def write_file(engine: Engine, name: str, text: str) -> None:
    make_private_directory(engine.paths.root)
    write_atomically(os.path.join(engine.paths.root, name), text.encode())


def add_pairs(engine: Engine, count: int) -> None:
    """`count` transactions of two rows each."""
    for number in range(count):
        with engine.database.transaction() as transaction:
            for half in "ab":
                transaction.execute(
                    "INSERT OR REPLACE INTO volumes (name, record, created) VALUES (?, '{}', '')",
                    (f"pair-{number}-{half}",),
                )


def make_volume(engine: Engine, name: str) -> None:
    with engine.database.transaction() as transaction:
        ensure_volume(transaction, engine.paths, name)


def drop_volume(engine: Engine, name: str) -> None:
    with engine.database.transaction() as transaction:
        trashed = remove_volume(transaction, engine.paths, name)
    if trashed:
        remove_tree(trashed)


def create_container(engine: Engine, name: str, **asked: t.Any) -> None:
    """From the only image there is."""
    config = ContainerConfig(network_mode="none", **{"command": ["sleep", "1000"], **asked})
    create(engine, name, config, list_images(engine.database.read())[0], "docker.io/library/busybox:1")


def create_with_volume(engine: Engine, name: str, target: str) -> None:
    """With the volume `data`, and one without a name."""
    volume = {"type": "volume", "source": "data", "target": target, "read_only": False, "options": []}
    create_container(engine, name, volumes=[volume, {**volume, "source": "", "target": "/nameless"}])


def start_container(engine: Engine, name: str) -> None:
    start(engine, name)


def stop_container(engine: Engine, name: str) -> None:
    stop(engine, name, timeout=0)


def remove_container(engine: Engine, name: str) -> None:
    remove(engine, name)


def copy_files(engine: Engine, name: str, source: str, dest: str) -> None:
    copy_in(engine, name, source, dest)


def prune(engine: Engine) -> None:
    """Containers, all volumes, networks, logs, and images without a name."""
    some = Filters()
    request = PruneRequest(some, some, some, some._replace(all=True), some)
    plan_prune(engine, request).execute(engine)


def pull(engine: Engine, name: str) -> None:
    options = RegistryOptions(timeout=20.0, retries=0)
    pull_image(engine, parse_reference(name), options, Platform("linux", "amd64"))


def drop_image(engine: Engine, name: str) -> None:
    remove_image(engine, parse_reference(name))
