# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle export`: the root file system of a container as a tar."""

from __future__ import annotations

import argparse
import os
import typing as t

from ..errors import InvalidInput
from .lookup import find_container
from .save import NewFile

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="Write to a file, instead of STDOUT")
    parser.add_argument("container", metavar="CONTAINER")
    parser.epilog = """
        coracle export -o web.tar web
        coracle export web | coracle import - web:copy
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.export_container import export_container

    record = find_container(context, options.container)
    if not options.output and context.out.isatty():
        raise InvalidInput("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    sink = NewFile(options.output) if options.output else os.fdopen(os.dup(context.out.fileno()), "wb")
    with sink as file:
        left_out = export_container(context.engine, record.id, file.write)
    if left_out:
        context.warn(f"left out, they are no files: {', '.join(left_out)}")
    if context.json and options.output:
        context.say_json({"path": options.output, "left_out": left_out})
    return 0
