# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle volume ls`: the volumes of this engine."""

from __future__ import annotations

import argparse
import typing as t

from .filters import Filters, add_filter, labels_match, parse_filters
from .table import Column, add_format, print_rows

if t.TYPE_CHECKING:
    from ..volume.records import VolumeRecord
    from .context import Context

COLUMNS = (
    Column("Driver", "DRIVER"),
    Column("Name", "VOLUME NAME"),
    Column("Scope", "SCOPE"),
    Column("Mountpoint", "MOUNTPOINT"),
    Column("Labels", "LABELS"),
    Column("Links", "LINKS"),
    Column("Size", "SIZE"),
)
KEYS = ("dangling", "driver", "label", "name")


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="Only display volume names")
    add_filter(parser, KEYS, "dangling=true")
    add_format(parser, COLUMNS)
    parser.epilog = "coracle volume ls --filter dangling=true"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..volume.records import list_volumes

    filters = parse_filters(options.filter, KEYS)
    volumes = list_volumes(context.engine.records.read())
    with_size = context.json or ".Size" in (options.format or "")
    rows = [_row(context, each, with_size) for each in volumes if _is_wanted(context, each, filters)]
    quiet = "Name" if options.quiet else None
    print_rows(context, COLUMNS, rows, shown=("Driver", "Name"), form=options.format, quiet=quiet)
    return 0


def _is_wanted(context: Context, volume: VolumeRecord, filters: Filters) -> bool:
    from ..volume.driver_options import DRIVER
    from ..volume.records import user_ids

    if not labels_match(volume.labels, filters.get("label", ())):
        return False
    names, drivers, dangling = (filters.get(key) for key in ("name", "driver", "dangling"))
    if (names and not any(name in volume.name for name in names)) or (drivers and DRIVER not in drivers):
        return False
    is_used = bool(user_ids(context.engine.records.read(), volume.name))
    return not dangling or (dangling[-1].lower() in ("true", "1")) != is_used


def _row(context: Context, volume: VolumeRecord, with_size: bool) -> dict[str, t.Any]:
    """The size costs a look at every file."""
    from ..linux.tree_size import tree_size
    from ..volume.driver_options import DRIVER
    from ..volume.records import user_ids, volume_data
    from .units import human_size

    data = volume_data(context.engine.paths, volume.name)
    return {
        "Driver": DRIVER,
        "Name": volume.name,
        "Scope": "local",
        "Mountpoint": data,
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(volume.labels.items())),
        "Links": str(len(user_ids(context.engine.records.read(), volume.name))),
        "Size": human_size(tree_size(data)) if with_size else "N/A",
    }
