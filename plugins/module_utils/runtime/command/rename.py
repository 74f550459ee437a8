# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle rename`: another name; id and files stay."""

from __future__ import annotations

import argparse
import typing as t

from ..container.values import parse_container_name
from .lookup import find_container
from .taken_name import check_free

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("container", metavar="CONTAINER")
    parser.add_argument("name", metavar="NEW_NAME")


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.rename_container import rename_container

    record = find_container(context, options.container)
    name = parse_container_name(options.name, "NEW_NAME")
    check_free(context, name)
    rename_container(context.engine, record.id, name)
    return 0
