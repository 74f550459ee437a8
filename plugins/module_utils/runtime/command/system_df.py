# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle system df`: what the engine takes of the disk."""

from __future__ import annotations

import argparse
import typing as t

from .table import Column, add_format, aligned, print_rows

if t.TYPE_CHECKING:
    from ..operations.disk_usage import ContainerUsage, DiskUsage, ImageUsage, Usage, VolumeUsage
    from .context import Context

COLUMNS = (
    Column("Type", "TYPE"),
    Column("TotalCount", "TOTAL"),
    Column("Active", "ACTIVE"),
    Column("Size", "SIZE"),
    Column("Reclaimable", "RECLAIMABLE"),
)


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="Show what it is made of")
    add_format(parser, COLUMNS)
    parser.epilog = "coracle system df -v"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.disk_usage import disk_usage

    usage = disk_usage(context.engine)
    kinds = {
        "Images": usage.images,
        "Containers": usage.containers,
        "Local Volumes": usage.volumes,
        "Build Cache": usage.build_cache,
        "Container Logs": usage.logs,
    }
    if options.verbose and not context.json:
        context.out.write(_details(context, usage))
        return 0
    rows = [_row(kind, numbers, context.json) for kind, numbers in kinds.items()]
    shown = [column.field for column in COLUMNS]
    print_rows(context, COLUMNS, rows, shown=shown, form=options.format)
    return 0


def _row(kind: str, usage: Usage, numbers: bool) -> dict[str, t.Any]:
    from .units import human_size

    values: tuple[t.Any, ...] = (usage.total, usage.active, usage.size, usage.reclaimable)
    if not numbers:
        share = f" ({100 * usage.reclaimable // usage.size}%)" if usage.size else ""
        size = human_size(usage.size, 4)
        reclaimable = f"{human_size(usage.reclaimable, 4)}{share}"
        values = (str(usage.total), str(usage.active), size, reclaimable)
    return {"Type": kind, **dict(zip(("TotalCount", "Active", "Size", "Reclaimable"), values))}


def _details(context: Context, usage: DiskUsage) -> str:
    from .units import human_size

    images = [_IMAGE, *(line for image in usage.image_list for line in _image_lines(image))]
    containers = [_CONTAINER, *(_container_line(context, one) for one in usage.container_list)]
    volumes = [_VOLUME, *map(_volume_line, usage.volume_list)]
    return (
        f"Images space usage:\n\n{aligned(images)}\n"
        f"Containers space usage:\n\n{aligned(containers)}\n"
        f"Local Volumes space usage:\n\n{aligned(volumes)}\n"
        f"Build cache usage: {human_size(usage.build_cache.size)}\n\n{aligned([_CACHE])}\n"
        f"Container logs usage: {human_size(usage.logs.size, 4)}\n"
    )


_IMAGE = "REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"
_CONTAINER = "CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"
_CACHE = "CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "USAGE", "SHARED"
_VOLUME = "VOLUME NAME", "LINKS", "SIZE"


def _image_lines(image: ImageUsage) -> list[tuple[str, ...]]:
    from .images import names_of_image
    from .units import ago, human_size

    return [
        (
            named.repository,
            named.tag,
            image.record.id[7:19],
            ago(image.record.created),
            human_size(image.size, 4),
            human_size(image.shared, 4),
            human_size(image.size - image.shared, 4),
            str(len(image.containers)),
        )
        for named in names_of_image(image.record, image.names)
    ]


def _container_line(context: Context, one: ContainerUsage) -> tuple[str, ...]:
    from ..container.status import observe
    from .ps_row import row_of
    from .units import human_size

    row = row_of(context, one.record, observe(context.engine, one.record), whole=False, size=False)
    texts = {**row, "Size": human_size(one.size)}
    fields = ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names")
    return tuple(str(texts[field]) for field in fields)


def _volume_line(one: VolumeUsage) -> tuple[str, ...]:
    from .units import human_size

    return one.record.name, str(len(one.containers)), human_size(one.size, 4)
