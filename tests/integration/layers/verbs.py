# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Laying out an image from layer tars, as an operation that can be called in another process."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.assemble import (
    Assembly,
    LayerStream,
    assemble,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.worker import ExtractionPool

if t.TYPE_CHECKING:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine

_CHUNK = 1 << 16


def lay_out(engine: Engine, *layers: str) -> Assembly:
    """`layers`: paths of uncompressed tars, bottom first."""
    store = LayerStore(engine.paths)
    store.sweep()
    diff_ids = ["sha256:" + hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in layers]
    with ExtractionPool() as pool, contextlib.ExitStack() as stack:
        staged = []
        for diff_id, path in zip(diff_ids, layers):
            if store.verify(store.name_of(diff_id)):
                continue
            staged.append(stack.enter_context(store.stage(diff_id)))
            worker = pool.start(staged[-1], "none")
            stack.callback(worker.abort)
            with open(path, "rb") as file:
                while data := file.read(_CHUNK):
                    worker.write(data)
            worker.finish()
        return assemble(store, pool, diff_ids, staged, lambda index: _reopened(layers[index]))


@contextlib.contextmanager
def _reopened(path: str) -> t.Iterator[LayerStream]:
    with open(path, "rb") as file:
        yield LayerStream(file.read, "none")
