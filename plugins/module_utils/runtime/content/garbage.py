# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is still needed, and the removal of blobs that are not: mark and sweep from the image records.

A container needs the layers of its image. It keeps them through the image's record, which is never deleted
while a container refers to it (operations/remove_image.py), so the records are all the roots there are.
"""

from __future__ import annotations

import typing as t

from ..oci.digest import hex_of
from .blobs import BlobStore
from .images import list_images

if t.TYPE_CHECKING:
    from ..state.database import Reader


class Needed(t.NamedTuple):
    """Digests of blobs, and names of directories below `layers/`, that some image refers to."""

    blobs: frozenset[str]
    directories: frozenset[str]


def mark(rows: Reader, without: t.Container[str] = ()) -> Needed:
    """What the images need, or would need if those with an id in `without` were gone.

    StateError if any record cannot be read: what it needs is unknown, so nothing may be removed.

    A layer is needed even where the image mounts another directory in its stead: it is what the next pull
    looks for.
    """
    blobs: set[str] = set()
    directories: set[str] = set()
    for image in list_images(rows, without):
        blobs.update((image.id, image.manifest_digest))
        blobs.update(layer.digest for layer in image.layers)
        directories.update(image.mounted_directories)
        directories.update(hex_of(layer.diff_id) for layer in image.layers)
    return Needed(frozenset(blobs), frozenset(directories))


def sweep_blobs(store: BlobStore, needed: Needed) -> int:
    """Remove blobs nobody needs and downloads nobody writes; the bytes freed. The caller locks content."""
    return sum(map(store.remove, _unneeded(store, needed))) + store.sweep_ingest()


def measure_blobs(store: BlobStore, needed: Needed) -> int:
    """The bytes that `sweep_blobs` would free."""
    return sum(map(store.size, _unneeded(store, needed))) + store.measure_ingest()


def _unneeded(store: BlobStore, needed: Needed) -> list[str]:
    return [digest for digest in store.digests() if digest not in needed.blobs]
