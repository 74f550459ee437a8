# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Layers that lost their record, a file or a few bytes are made again: from their blobs, which are kept for
this, else from the registry that the image came from. The image stays what it is, wherever its tags may
lead by now.
"""

from __future__ import annotations

import contextlib
import functools
import time
import typing as t

from ..content.images import ImageRecord, names_of, save_image
from ..errors import NotFound
from ..layers.store import LayerStore
from ..oci.documents import Descriptor
from ..oci.reference import parse_reference
from .in_parallel import in_parallel
from .make_layers import Progress, Readable, Take, WantedLayer
from .receive_layers import receive_layers
from .store_image import Pulled
from .storing import storing

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..registry.options import RegistryOptions


def damaged_layers(engine: Engine, record: ImageRecord, thorough: bool = False) -> list[str]:
    """Names of the layer directories of an image that have no right record; `thorough`: or not what it says.

    The former costs one small file for each layer, the latter a look at each name in it.
    """
    store = LayerStore(engine.paths)
    is_intact = store.verify if thorough else store.record
    return [name for name in record.mounted_directories if not is_intact(name)]


def repair_image(
    engine: Engine,
    record: ImageRecord,
    options: RegistryOptions | None = None,
    progress: t.Callable[[Progress], None] | None = None,
) -> Pulled:
    """Make damaged layers again. NotFound if a blob is needed that is neither here nor in a registry."""
    started = time.monotonic()
    layers = [
        WantedLayer(layer.diff_id, Descriptor(layer.media_type, layer.digest, layer.size))
        for layer in record.layers
    ]
    with (
        storing(engine, f"repair image {record.id[:19]}"),
        contextlib.closing(_Origin(engine, record, options)) as origin,
    ):
        received = receive_layers(engine, layers, (), origin, record.mounted_directories, progress)
        repaired = record._replace(
            directories=received.directories, parents_layer=received.parents_layer, size=received.size
        )
        with engine.database.transaction() as transaction:
            save_image(transaction, repaired)
    took = time.monotonic() - started
    return Pulled(repaired, received.bytes, received.layers, received.reused, took)


class _Origin:
    """The registry that an image came from, asked only when a blob is not here."""

    resumes = True

    def __init__(self, engine: Engine, record: ImageRecord, options: RegistryOptions | None) -> None:
        names = [name.name for name in names_of(engine.database.read(), record.id) if name.manifest_digest]
        self._reference = parse_reference(names[0]) if names else None
        self._options = options
        self._stack = contextlib.ExitStack()

    def deliver(self, layers: t.Sequence[WantedLayer], take: Take) -> None:
        in_parallel(lambda layer: take(layer, functools.partial(self.open, layer)), layers)

    def open(self, layer: WantedLayer, offset: int) -> Readable:
        from ..registry.client import RegistryClient

        if self._reference is None:
            raise NotFound(
                "the blob is damaged or gone, and it came from no registry", "load the image again"
            )
        client = RegistryClient(self._reference.registry, self._options)
        self._stack.callback(client.close)
        return client.open_blob(self._reference.repository, layer.blob, offset)

    def close(self) -> None:
        self._stack.close()
