# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Mark and sweep over everything that images are made of.

Under the lock nothing is unlinked that takes long: layers are renamed into the trash, and emptied when the
lock is free.
"""

from __future__ import annotations

import os
import typing as t

from ..content.blobs import BlobStore
from ..content.garbage import mark, sweep_blobs
from ..errors import TimedOut
from ..layers.store import LayerStore
from ..linux.locks import lock
from ..linux.trees import move_to_trash

if t.TYPE_CHECKING:
    from ..engine import Engine

WAIT = 10.0  # seconds for a pull or a create to end


def collect_garbage(engine: Engine, wait: float = WAIT) -> int | None:
    """Remove blobs, layers and interrupted downloads that no image needs; the bytes freed. None: something is
    being pulled or created, which may need any of them; the next collection finds them as well.
    """
    blobs, layers = BlobStore(engine.paths), LayerStore(engine.paths)
    try:
        with lock(engine.paths, "content", timeout=wait):
            needed = mark(engine.database.read())
            freed = sweep_blobs(blobs, needed)
            for name in set(layers.names()) - needed.directories:
                record = layers.record(name)
                freed += record.bytes if record else 0
                move_to_trash(engine.paths, os.path.join(engine.paths.layers, name))
    except TimedOut:
        return None
    layers.sweep()
    return freed
