# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The second half of a pull, a load and an import: layers, then record and names in one transaction."""

from __future__ import annotations

import time
import typing as t

from ..content.blobs import BlobStore
from ..content.images import (
    ImageName,
    ImageRecord,
    LayerReference,
    list_images,
    save_image,
    save_name,
    select_image,
)
from ..oci.documents import Manifest
from ..oci.image_config import ImageConfig
from .make_layers import Progress, Source, WantedLayer
from .receive_layers import receive_layers

if t.TYPE_CHECKING:
    from ..engine import Engine


class Parts(t.NamedTuple):
    """An image that has been read and checked; `raw_manifest` and `raw_config` are the bytes behind it."""

    manifest: Manifest
    config: ImageConfig
    raw_manifest: bytes
    raw_config: bytes

    @property
    def id(self) -> str:
        return self.manifest.config.digest

    @property
    def layers(self) -> list[WantedLayer]:
        """Bottom first. The two lists are of the same length: `check_image` has seen to that."""
        return [
            WantedLayer(diff_id, blob) for diff_id, blob in zip(self.config.diff_ids, self.manifest.layers)
        ]


class Pulled(t.NamedTuple):
    """The image and what it took: compressed bytes from the source, layers made and reused, seconds."""

    record: ImageRecord
    bytes: int
    layers: int
    reused: int
    seconds: float
    warnings: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, t.Any]:
        """For the result of a task."""
        return {
            "bytes": self.bytes,
            "layers": self.layers,
            "reused": self.reused,
            "seconds": round(self.seconds, 3),
        }


def store_image(
    engine: Engine,
    parts: Parts,
    source: Source,
    names: t.Mapping[str, str | None],
    progress: t.Callable[[Progress], None] | None = None,
) -> Pulled:
    """Lay out and record an image. `names` in canonical form → the digest that a registry gave for it.

    The caller holds the lock `content` shared. Until the transaction nothing refers to what was stored; after
    it, nothing that it refers to is unsynced.
    """
    started = time.monotonic()
    database = engine.database
    before = select_image(database.read(), parts.id)
    received = receive_layers(
        engine,
        parts.layers,
        (parts.raw_manifest, parts.raw_config),
        source,
        known=before.mounted_directories if before else (),
        progress=progress,
    )
    manifest = (parts.manifest.digest, parts.manifest.media_type)
    layers = _references(engine, parts.layers)
    if before is not None and [layer.digest for layer in layers] == [layer.digest for layer in before.layers]:
        # Perhaps it came in other blobs this time, which were not needed: what is kept belongs together.
        manifest = (before.manifest_digest, before.media_type)
    record = ImageRecord(
        id=parts.id,
        manifest_digest=manifest[0],
        media_type=manifest[1],
        config=parts.config.to_json(),
        layers=layers,
        directories=received.directories,
        parents_layer=received.parents_layer,
        size=received.size,
        created=parts.config.created,
    )
    with database.transaction() as transaction:
        save_image(transaction, record)
        for name, digest in names.items():
            save_name(transaction, ImageName(name, record.id, digest))
    took = time.monotonic() - started
    return Pulled(record, received.bytes, received.layers, received.reused, took)


def _references(engine: Engine, layers: t.Sequence[WantedLayer]) -> tuple[LayerReference, ...]:
    """The blobs that layers can be made of again. A layer that was here already may have come in another one,
    compressed otherwise: that is the one that is kept.
    """
    blobs = BlobStore(engine.paths)
    asked = [
        LayerReference(layer.diff_id, layer.blob.digest, layer.blob.media_type, layer.blob.size)
        for layer in layers
    ]
    if all(blobs.has(layer.digest, layer.size) for layer in asked):
        return tuple(asked)
    here = {
        layer.diff_id: layer
        for image in list_images(engine.database.read(), damaged=[])
        for layer in image.layers
        if blobs.has(layer.digest, layer.size)
    }
    return tuple(
        layer if blobs.has(layer.digest, layer.size) else here.get(layer.diff_id, layer) for layer in asked
    )
