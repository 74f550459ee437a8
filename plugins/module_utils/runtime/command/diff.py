# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle diff`: what a container has changed in the file system of its image."""

from __future__ import annotations

import argparse
import os
import typing as t

from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("container", metavar="CONTAINER")
    parser.epilog = """
        coracle diff web                            A: added, C: changed, D: deleted
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.list_changes import list_changes

    changes = list_changes(context.engine, find_container(context, options.container))
    if context.json:
        context.say_json([{"Kind": change.kind, "Path": _text(change.path)} for change in changes])
        return 0
    for change in changes:
        context.out.buffer.write(change.kind.encode() + b" " + os.fsencode(change.path) + b"\n")
    context.out.buffer.flush()
    return 0


def _text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")
