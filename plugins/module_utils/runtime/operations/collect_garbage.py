# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Mark and sweep over everything that images are made of.

Under the lock nothing is unlinked that takes long: layers are renamed into the trash, which is emptied when
the lock is free. While something is pulled or created nothing can be collected: a note is left, and the next
that ends a pull collects (`collect_postponed`).
"""

from __future__ import annotations

import os
import typing as t

from ..content.blobs import BlobStore
from ..content.garbage import mark, measure_blobs, sweep_blobs
from ..errors import StateError, TimedOut
from ..layers.store import LayerStore
from ..linux.files import make_private_directory
from ..linux.locks import lock
from ..linux.trees import move_to_trash
from ..volume.records import sweep_volumes

if t.TYPE_CHECKING:
    from ..engine import Engine

WAIT = 10.0  # seconds for a pull or a create to end
_NOTE = "garbage"


def collect_garbage(engine: Engine, wait: float = WAIT) -> int | None:
    """Remove blobs, layers and interrupted downloads that no image needs; the bytes freed. And directories
    of volumes that never came to be.

    None: something is being pulled or created, which may need any of them.
    """
    blobs, layers = BlobStore(engine.paths), LayerStore(engine.paths)
    try:
        with lock(engine.paths, "content", timeout=wait):
            needed = mark(engine.database.read())
            freed = sweep_blobs(blobs, needed)
            for name in set(layers.names()) - needed.directories:
                freed += _bytes_of(layers, name)
                move_to_trash(engine.paths, os.path.join(engine.paths.layers, name))
            with engine.database.transaction() as transaction:
                sweep_volumes(transaction, engine.paths)
            _forget(engine)
    except TimedOut:
        _postpone(engine)
        return None
    layers.sweep()
    return freed


def measure_garbage(engine: Engine, without: t.Container[str] = ()) -> int:
    """The bytes that `collect_garbage` would free if the images with an id in `without` were gone. Only
    looks.

    0 where nothing could be collected, because the record of another image is damaged.
    """
    blobs, layers = BlobStore(engine.paths), LayerStore(engine.paths)
    try:
        needed = mark(engine.records.read(), without)
    except StateError:
        return 0
    unneeded = set(layers.names()) - needed.directories
    return measure_blobs(blobs, needed) + sum(_bytes_of(layers, name) for name in unneeded)


def _bytes_of(layers: LayerStore, name: str) -> int:
    record = layers.record(name)
    return record.bytes if record else 0


def collect_postponed(engine: Engine) -> None:
    """Do what a collection had to leave undone."""
    if os.path.exists(_note(engine)):
        collect_garbage(engine, wait=0)


def _postpone(engine: Engine) -> None:
    """Not synced: what it is about is garbage after a power cut, too, and found by the next collection."""
    make_private_directory(engine.paths.root)
    os.close(os.open(_note(engine), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _forget(engine: Engine) -> None:
    try:
        os.unlink(_note(engine))
    except FileNotFoundError:
        pass


def _note(engine: Engine) -> str:
    return os.path.join(engine.paths.root, _NOTE)
