# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Is everything here that the images need, and what is here that none of them needs?"""

from __future__ import annotations

import functools
import typing as t

from ..content.blobs import CHUNK, BlobStore
from ..content.images import ImageRecord, list_images, names_of
from ..errors import IntegrityError, NotFound, StateError, TimedOut
from ..layers.store import LayerStore
from ..linux.locks import lock
from ..oci.reference import familiar_name
from .collect_garbage import collect_garbage, measure_garbage
from .findings import Finding
from .repair_blobs import repair_blobs
from .repair_image import damaged_layers, repair_image

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..registry.options import RegistryOptions
    from .findings import Findings


def check_images(engine: Engine, content: bool, options: RegistryOptions | None) -> Findings:
    """`content`: read every blob, and count what is in every layer."""
    records = list_images(engine.records.read(), damaged=[])
    for record in records:
        yield from _check_image(engine, record, content, options)
    yield from _check_garbage(engine)


def _check_image(
    engine: Engine, record: ImageRecord, content: bool, options: RegistryOptions | None
) -> Findings:
    name = _called(engine, record)
    broken = [digest for digest in _digests(record) if not _is_whole(engine, record, digest, content)]
    if broken:
        yield Finding(
            f"image {name}: {_blobs(broken)} missing or damaged",
            functools.partial(repair_blobs, engine, record, broken, options),
        )
    damaged = damaged_layers(engine, record, thorough=content)
    if damaged:
        yield Finding(
            f"image {name}: {_layers(damaged)} missing or damaged",
            functools.partial(repair_image, engine, record, options),
        )


def _digests(record: ImageRecord) -> list[str]:
    layers = [layer.digest for layer in record.layers]
    return list(dict.fromkeys([record.manifest_digest, record.id, *layers]))


def _is_whole(engine: Engine, record: ImageRecord, digest: str, content: bool) -> bool:
    """Documents are small, and read in any case."""
    blobs = BlobStore(engine.paths)
    sizes = {layer.digest: layer.size for layer in record.layers}
    if digest in sizes and not content:
        return blobs.has(digest, sizes[digest])
    try:
        with blobs.open(digest, sizes.get(digest)) as reader:
            while reader.read(CHUNK):
                pass
    except (IntegrityError, NotFound):
        return False
    return True


def _check_garbage(engine: Engine) -> Findings:
    """While somebody brings an image, what nobody needs yet is not garbage."""
    try:
        with lock(engine.paths, "content", timeout=0):
            unneeded = measure_garbage(engine)
    except (TimedOut, StateError):
        return
    left = LayerStore(engine.paths).remains()
    found = [f"{unneeded} bytes of layers and blobs belong to no image"] if unneeded else []
    found += [f"unfinished or discarded trees are left of work that was cut off: {left}"] if left else []
    if found:
        yield Finding("; ".join(found), functools.partial(collect_garbage, engine))


def _called(engine: Engine, record: ImageRecord) -> str:
    names = [familiar_name(name.name) for name in names_of(engine.records.read(), record.id)]
    return names[0] if names else record.id[:19]


def _blobs(digests: t.Sequence[str]) -> str:
    if len(digests) == 1:
        return f"blob {digests[0][:19]} is"
    return f"{len(digests)} of its blobs are"


def _layers(names: t.Sequence[str]) -> str:
    if len(names) == 1:
        return f"layer {names[0][:12]} is"
    return f"{len(names)} of its layers are"
