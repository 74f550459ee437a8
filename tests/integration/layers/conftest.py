# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures for layers: a store of one's own, and an image laid out in it from tars."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import pathlib
import tempfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers import snapshots
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.assemble import (
    Assembly,
    LayerStream,
    assemble,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.limits import DEFAULT, Limits
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import (
    LayerStore,
    StagedLayer,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.worker import ExtractionPool
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths


class Images:
    """Lays out images given as uncompressed layer tars, as a pull does. `reopened`: layers read once more."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.store = LayerStore(paths)
        self.reopened: list[int] = []

    def lay_out(self, *layers: bytes, limits: Limits = DEFAULT) -> Assembly:
        diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        missing = {diff_id: layer for diff_id, layer in zip(diff_ids, layers) if not self._has(diff_id)}
        with ExtractionPool() as pool, contextlib.ExitStack() as stack:
            staged = []
            for diff_id, layer in missing.items():
                staged.append(stack.enter_context(self.store.stage(diff_id)))
                fill(pool, staged[-1], gzip.compress(layer, 1), limits=limits)
            return assemble(
                self.store, pool, diff_ids, staged, lambda index: self._reopen(index, layers[index]), limits
            )

    def _has(self, diff_id: str) -> bool:
        return self.store.verify(self.store.name_of(diff_id))

    @contextlib.contextmanager
    def _reopen(self, index: int, layer: bytes) -> t.Iterator[LayerStream]:
        self.reopened.append(index)
        yield LayerStream(io.BytesIO(layer).read, "none")

    @contextlib.contextmanager
    def mounted(self, assembly: Assembly) -> t.Iterator[str]:
        """The root of a container of the image."""
        lower = snapshots.lower_directories(self.paths, assembly.directories, assembly.parents_layer)
        container = self.paths.container(os.urandom(32).hex())
        make_private_directory(container)
        try:
            yield snapshots.mount_root(lower, container)
        finally:
            snapshots.unmount_root(container)
            remove_tree(container)


def fill(
    pool: ExtractionPool,
    staged: StagedLayer,
    data: bytes,
    compression: str = "gzip",
    limits: Limits = DEFAULT,
) -> None:
    worker = pool.start(staged, compression, limits)
    try:
        for at in range(0, len(data), 1 << 16):
            worker.write(data[at : at + (1 << 16)])
        worker.finish()
    finally:
        worker.abort()


@pytest.fixture
def images(engine_roots: Paths) -> Images:
    return Images(engine_roots)


@pytest.fixture
def place() -> t.Iterator[pathlib.Path]:
    """A directory on a disk: tmpfs knows no `user.` attributes and no sparse files worth the name."""
    path = tempfile.mkdtemp(prefix="coracle-judge-", dir="/var/tmp")
    yield pathlib.Path(path)
    remove_tree(path)
