# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What tests do with images: short forms of the operations, and a look into the store."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import (
    ImageRecord,
    find_image,
    names_of,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import Platform
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pull_image import pull_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.store_image import Pulled
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions

IMPATIENT = RegistryOptions(timeout=2.0, retries=0)
AMD64 = Platform("linux", "amd64")
NOTHING: dict[str, list[str]] = {"blobs": [], "ingest": [], "layers": [], "staging": [], "trash": []}


def pull(engine: Engine, name: str, platform: Platform = AMD64, **options: t.Any) -> Pulled:
    """Without retries: what fails shall fail now."""
    return pull_image(engine, parse_reference(name), IMPATIENT._replace(**options), platform)


def find(engine: Engine, name: str) -> ImageRecord | None:
    return find_image(engine.records, parse_reference(name))


def names(engine: Engine, record: ImageRecord) -> list[str]:
    return [name.name for name in names_of(engine.records.read(), record.id)]


def stored(paths: Paths) -> dict[str, list[str]]:
    """The names in each directory of the store; those that are not there are empty."""
    directories = {
        "blobs": paths.blobs,
        "ingest": paths.ingest,
        "layers": paths.layers,
        "staging": paths.staging,
        "trash": paths.trash,
    }
    return {
        name: sorted(os.listdir(path)) if os.path.isdir(path) else [] for name, path in directories.items()
    }


def content(engine: Engine, record: ImageRecord) -> dict[str, bytes]:
    """All files of the layers, those of upper ones over those of lower ones, by path."""
    store = LayerStore(engine.paths)
    found: dict[str, bytes] = {}
    for name in record.mounted_directories:
        top = store.path(name)
        for directory, _names, files in os.walk(top):
            for file in files:
                path = os.path.join(directory, file)
                with open(path, "rb") as stream:
                    found[os.path.relpath(path, top)] = stream.read()
    return found


def assert_whole(engine: Engine, record: ImageRecord) -> None:
    """Every layer is what its record says, every blob is there, and nothing is half done."""
    store = LayerStore(engine.paths)
    assert [name for name in record.mounted_directories if not store.verify(name)] == []
    blobs = {record.id, record.manifest_digest, *(layer.digest for layer in record.layers)}
    there = stored(engine.paths)
    assert {digest.partition(":")[2] for digest in blobs} <= set(there["blobs"])
    assert there["ingest"] == there["staging"] == there["trash"] == []
