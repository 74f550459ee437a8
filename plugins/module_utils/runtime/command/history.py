# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle history`: how an image was made, the last step first."""

from __future__ import annotations

import argparse
import typing as t

from .lookup import find_image
from .table import Column, add_format, print_rows

if t.TYPE_CHECKING:
    from ..content.images import ImageRecord
    from .context import Context

COLUMNS = (
    Column("ID", "IMAGE"),
    Column("CreatedSince", "CREATED"),
    Column("CreatedAt", "CREATED AT"),
    Column("CreatedBy", "CREATED BY"),
    Column("Size", "SIZE"),
    Column("Comment", "COMMENT"),
)
_WIDTH = 45


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="Only show image IDs")
    parser.add_argument("--no-trunc", action="store_true", help="Don't truncate output")
    add_format(parser, COLUMNS)
    parser.add_argument("image", metavar="IMAGE")
    parser.epilog = "coracle history --no-trunc nginx"


def run(context: Context, options: argparse.Namespace) -> int:
    record = find_image(context, options.image)
    rows = _rows(context, record, options.no_trunc)
    shown = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
    quiet = "ID" if options.quiet else None
    print_rows(context, COLUMNS, rows, shown=shown, form=options.format, quiet=quiet)
    return 0


def _rows(context: Context, record: ImageRecord, whole: bool) -> list[dict[str, t.Any]]:
    from .units import ago, human_size, local_time

    steps = record.image_config.history or [{} for _layer in record.layers]
    sizes = _sizes(context, record)
    rows = []
    for step in steps:
        size = 0 if step.get("empty_layer") else next(sizes, 0)
        made_by = " ".join(step.get("created_by", "").split())
        cut = len(made_by) > _WIDTH and not whole
        rows.append(
            {
                "ID": "<missing>",
                "CreatedSince": ago(step.get("created", "")),
                "CreatedAt": local_time(step.get("created", "")),
                "CreatedBy": f"{made_by[: _WIDTH - 1]}…" if cut else made_by,
                "Size": human_size(size),
                "Comment": step.get("comment", ""),
            }
        )
    rows.reverse()
    if rows:
        rows[0]["ID"] = record.id if whole else record.id[7:19]
    return rows


def _sizes(context: Context, record: ImageRecord) -> t.Iterator[int]:
    """Of the layers, the lowest first."""
    from ..layers.store import LayerStore

    store = LayerStore(context.engine.paths)
    for name in record.directories:
        layer = store.record(name)
        yield layer.bytes if layer else 0
