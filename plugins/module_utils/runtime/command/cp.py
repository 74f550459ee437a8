# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle cp`: files into a container, and out of it; with `-`, as a tar stream."""

from __future__ import annotations

import sys
import typing as t

from ..errors import InvalidInput
from .lookup import find_container
from .units import human_size

if t.TYPE_CHECKING:
    import argparse

    from ..operations.copy_by_docker import Copied, Manner
    from .context import Context

_STREAM = "-"


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--archive", action="store_true", help="Keep the numbers of users and groups")
    parser.add_argument(
        "-L", "--follow-link", action="store_true", help="Copy what a link in SRC_PATH leads to"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="Do not say what was copied")
    parser.add_argument("source", metavar="SRC_PATH", help="CONTAINER:PATH, a path here, or - for a tar")
    parser.add_argument("dest", metavar="DEST_PATH", help="the same; one of both is in a container")
    parser.epilog = (
        "coracle cp web:/etc/nginx .            the directory, to here\n"
        "coracle cp conf/. web:/etc/nginx       what is in conf, to there\n"
        "coracle cp web:/srv - | tar t          as a tar"
    )


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.copy_by_docker import Manner

    (source_in, source), (dest_in, dest) = _parted(options.source), _parted(options.dest)
    manner = Manner(keep_owner=options.archive, follow=options.follow_link)
    if bool(source_in) == bool(dest_in):
        problem = (
            "copying between containers is not supported"
            if source_in
            else "must specify at least one container source"
        )
        raise InvalidInput(problem)
    container = find_container(context, source_in or dest_in).name
    copied = _copy(context, container, source, dest, bool(source_in), manner)
    if copied.left_out:
        context.warn(f"left out, they are no files: {', '.join(copied.left_out)}")
    if context.json:
        context.say_json({"Size": copied.size, "LeftOut": copied.left_out})
    elif not options.quiet and _STREAM not in (source, dest):
        context.err.write(f"Successfully copied {human_size(copied.size)} to {options.dest}\n")
    return 0


def _copy(context: Context, container: str, source: str, dest: str, outwards: bool, manner: Manner) -> Copied:
    from ..operations import copy_by_docker as verbs

    engine = context.engine
    if outwards and dest == _STREAM:
        if context.out.isatty():
            raise InvalidInput("cowardly refusing to write a tar to a terminal", "redirect it")
        return verbs.copy_stream_out(engine, container, source, sys.stdout.buffer.write, manner)
    if outwards:
        return verbs.copy_out(engine, container, source, dest, manner)
    if source == _STREAM:
        return verbs.copy_stream_in(engine, container, sys.stdin.buffer.read, dest, manner)
    return verbs.copy_in(engine, container, source, dest, manner)


def _parted(text: str) -> tuple[str, str]:
    """Container and path; no container for a path here, which begins with `/` or `.` or has no colon."""
    name, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".")) or not name:
        return "", text
    return name, path or "/"
