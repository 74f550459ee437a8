# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle pull`: bring an image from its registry."""

from __future__ import annotations

import argparse
import typing as t

from .pull_display import pull_with_progress
from .registry_flags import add_registry_flags, registry_options

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="Suppress verbose output")
    parser.add_argument("--platform", metavar="string", help="Pull for this platform, like linux/arm64")
    add_registry_flags(parser)
    parser.add_argument("name", metavar="NAME[:TAG|@DIGEST]")
    parser.epilog = """
        coracle pull nginx:1.27
        coracle pull --platform linux/arm64 registry.example.com/team/app:2.3
        coracle pull --insecure-registry localhost:5000 localhost:5000/app
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..oci.platforms import parse_platform
    from ..oci.reference import parse_reference
    from ..operations.lease import leased

    reference = parse_reference(options.name)
    verbose = not options.quiet and not context.json
    if verbose and reference.tag == "latest" and ":latest" not in options.name:
        context.say("Using default tag: latest")
    platform = parse_platform(options.platform) if options.platform else None
    with leased(context.engine, images=[reference.canonical]):
        pulled = pull_with_progress(context, reference, platform, options.quiet, registry_options(options))
    if context.json:
        facts = {"name": reference.canonical, "id": pulled.record.id, "digest": pulled.record.manifest_digest}
        context.say_json({**facts, **pulled.facts})
    else:
        context.say(reference.canonical)
    return 0
