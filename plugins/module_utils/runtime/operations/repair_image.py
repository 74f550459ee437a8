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
from ..errors import CoracleError, NotFound
from ..layers.store import LayerStore
from ..oci.documents import Descriptor
from ..oci.reference import parse_reference
from .in_parallel import in_parallel
from .make_layers import Progress, Readable, Take, WantedLayer
from .pull_image import Repository
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
    with storing(engine, f"repair image {record.id[:19]}"), contextlib.ExitStack() as stack:
        origin = _origin(engine, record, options, stack)
        received = receive_layers(engine, layers, (), origin, record.mounted_directories, progress)
        repaired = record._replace(
            directories=received.directories, parents_layer=received.parents_layer, size=received.size
        )
        with engine.database.transaction() as transaction:
            save_image(transaction, repaired)
    took = time.monotonic() - started
    return Pulled(repaired, received.bytes, received.layers, received.reused, took, tuple(origin.warnings))


def _origin(
    engine: Engine, record: ImageRecord, options: RegistryOptions | None, stack: contextlib.ExitStack
) -> Repository | _Nowhere:
    """The repository that an image came from. It is asked only when a blob is not here."""
    names = [name.name for name in names_of(engine.database.read(), record.id) if name.manifest_digest]
    if not names:
        return _Nowhere()
    from ..registry.client import RegistryClient

    reference = parse_reference(names[0])
    client = RegistryClient(reference.registry, options)
    stack.callback(client.close)
    return Repository(client, reference.repository)


class _Nowhere:
    """The source of an image that was loaded from an archive: what is not here is not to be had."""

    resumes = False
    warnings: t.Sequence[str] = ()

    def deliver(self, layers: t.Sequence[WantedLayer], take: Take) -> None:
        in_parallel(lambda layer: take(layer, functools.partial(self.open, layer)), layers)

    def open(self, _layer: WantedLayer, _offset: int) -> Readable:
        raise NotFound("the blob is damaged or gone, and it came from no registry", "load the image again")

    def turn_away(self, _layer: WantedLayer, _error: CoracleError) -> bool:
        return False
