# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the engine takes of the disk, by kind, and how much of it nobody needs. Looks only.

images        unpacked layers and blobs, each once, however many images share it
containers    what they have written
volumes       what is in them; what is mounted on them lies elsewhere
logs          of containers, which Docker counts nowhere
build cache   there is none
"""

from __future__ import annotations

import typing as t

from ..container.records import ContainerRecord, list_containers
from ..container.status import observe
from ..content.blobs import BlobStore
from ..content.images import ImageName, ImageRecord, list_images, names_of, users_of
from ..layers.store import LayerStore
from ..linux.cgroups import CgroupLayout, layout_for_looking
from ..linux.tree_size import tree_size
from ..oci.digest import hex_of
from ..volume.records import VolumeRecord, containers_using, list_volumes
from .collect_garbage import measure_garbage
from .prune_container import AT_REST, log_bytes
from .prune_logs import measure_logs

if t.TYPE_CHECKING:
    from ..engine import Engine


class Usage(t.NamedTuple):
    """Numbers of things and, of them, of those in use; bytes, and bytes that pruning would give back."""

    total: int = 0
    active: int = 0
    size: int = 0
    reclaimable: int = 0


class ImageUsage(t.NamedTuple):
    """`size` in bytes on disk, of which `shared` are those of other images, too; `containers` by name."""

    record: ImageRecord
    names: list[ImageName]
    size: int
    shared: int
    containers: list[str]


class ContainerUsage(t.NamedTuple):
    record: ContainerRecord
    status: str
    size: int


class VolumeUsage(t.NamedTuple):
    record: VolumeRecord
    size: int
    containers: list[str]


class DiskUsage(t.NamedTuple):
    """The sum for each kind, and what it is made of."""

    images: Usage
    containers: Usage
    volumes: Usage
    logs: Usage
    build_cache: Usage
    image_list: list[ImageUsage]
    container_list: list[ContainerUsage]
    volume_list: list[VolumeUsage]


def disk_usage(engine: Engine) -> DiskUsage:
    """Records that cannot be read do not count. Takes as long as looking at every file of the volumes."""
    with engine.records.snapshot():
        images = _images(engine)
        records = list_containers(engine.records, hidden=True, damaged=[])
        at = layout_for_looking() if records else None
        containers = [_container(engine, record, at) for record in records]
        volumes = [_volume(engine, record) for record in list_volumes(engine.records.read())]
        return DiskUsage(
            images=_sum_of_images(engine, images),
            containers=_sum([(one.size, one.status not in AT_REST) for one in containers]),
            volumes=_sum([(one.size, bool(one.containers)) for one in volumes]),
            logs=_sum_of_logs(engine, containers),
            build_cache=Usage(),
            image_list=images,
            container_list=containers,
            volume_list=volumes,
        )


def _sum(sizes: t.Collection[tuple[int, bool]]) -> Usage:
    """Of (bytes, is in use)."""
    return Usage(
        total=len(sizes),
        active=sum(used for _size, used in sizes),
        size=sum(size for size, _used in sizes),
        reclaimable=sum(size for size, used in sizes if not used),
    )


def _container(engine: Engine, record: ContainerRecord, at: CgroupLayout | None) -> ContainerUsage:
    directory = engine.paths.container(record.id)
    return ContainerUsage(record, observe(engine, record, at).status, tree_size(f"{directory}/upper"))


def _volume(engine: Engine, record: VolumeRecord) -> VolumeUsage:
    size = tree_size(f"{engine.paths.volumes}/{record.name}")
    return VolumeUsage(record, size, containers_using(engine.records.read(), record.name))


def _sum_of_logs(engine: Engine, containers: t.Sequence[ContainerUsage]) -> Usage:
    logs = [(one, log_bytes(engine, one.record.id)) for one in containers]
    there = [(one, size) for one, size in logs if size]
    return Usage(
        total=len(there),
        active=sum(one.status not in AT_REST for one, _size in there),
        size=sum(size for _one, size in there),
        reclaimable=sum(
            measure_logs(engine, one.record, rests=one.status in AT_REST, everything=True, until="")
            for one, _size in there
        ),
    )


# Images


def _images(engine: Engine) -> list[ImageUsage]:
    rows = engine.records.read()
    records = list_images(rows, damaged=[])
    parts = [_parts(engine, record) for record in records]
    shares: dict[str, int] = {}
    for own in parts:
        for part in own:
            shares[part] = shares.get(part, 0) + 1
    return [
        ImageUsage(
            record,
            names_of(rows, record.id),
            size=sum(own.values()),
            shared=sum(size for part, size in own.items() if shares[part] > 1),
            containers=sorted(users_of(rows, record.id).values()),
        )
        for record, own in zip(records, parts)
    ]


def _parts(engine: Engine, record: ImageRecord) -> dict[str, int]:
    """The bytes of everything that an image needs on disk, as the garbage collection counts them."""
    blobs, layers = BlobStore(engine.paths), LayerStore(engine.paths)
    digests = {record.id, record.manifest_digest, *(layer.digest for layer in record.layers)}
    names = {*record.mounted_directories, *(hex_of(layer.diff_id) for layer in record.layers)}
    sizes = {f"blob {digest}": blobs.size(digest) for digest in digests}
    for name in names:
        layer = layers.record(name)
        sizes[f"layer {name}"] = layer.bytes if layer else 0
    return sizes


def _sum_of_images(engine: Engine, images: t.Sequence[ImageUsage]) -> Usage:
    blobs, layers = BlobStore(engine.paths), LayerStore(engine.paths)
    unpacked = (layers.record(name) for name in layers.names())
    size = sum(map(blobs.size, blobs.digests())) + blobs.measure_ingest()
    unused = [one.record.id for one in images if not one.containers]
    return Usage(
        total=len(images),
        active=len(images) - len(unused),
        size=size + sum(layer.bytes for layer in unpacked if layer),
        reclaimable=measure_garbage(engine, unused),
    )
