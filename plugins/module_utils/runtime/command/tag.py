# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle tag`: one more name for an image."""

from __future__ import annotations

import argparse
import typing as t

from .rmi import meant

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE_IMAGE[:TAG]")
    parser.add_argument("target", metavar="TARGET_IMAGE[:TAG]")
    parser.epilog = "coracle tag nginx:1.27 web:current"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..oci.reference import parse_reference
    from ..operations.tag_image import tag_image

    name = parse_reference(options.target)
    tag_image(context.engine, meant(context, options.source), name)
    if context.json:
        context.say_json({"name": name.canonical})
    return 0
