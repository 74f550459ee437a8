# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle create`: make a container, and have its image pulled if need be."""

from __future__ import annotations

import argparse
import contextlib
import os
import typing as t

from ..errors import Conflict, InvalidInput, NotFound
from .container_options import add_options, given_options
from .registry_flags import add_registry_flags, registry_options

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.records import ContainerRecord
    from ..content.images import ImageRecord
    from .context import Context

_ATTEMPTS = 10  # to find a name that nobody has


def declare(parser: argparse.ArgumentParser) -> None:
    add_creation(parser)
    parser.epilog = """
        coracle create --name web -p 8080:80 nginx      start it with: coracle start web
        coracle create -it --name shell alpine          start it with: coracle start -ai shell
    """


def run(context: Context, options: argparse.Namespace) -> int:
    with created(context, options) as record:
        if context.json:
            context.say_json({"Id": record.id, "Name": record.name})
        else:
            context.say(record.id)
    return 0


def add_creation(parser: argparse.ArgumentParser) -> None:
    """What `create` and `run` have in common."""
    from .container_texts import add_texts

    add_options(parser)
    add_texts(parser)
    for flag, metavar, text in (
        ("--name", "string", "Assign a name to the container"),
        ("--platform", "string", "Set platform if the image has several"),
        ("--cidfile", "file", "Write the container ID to the file"),
    ):
        parser.add_argument(flag, metavar=metavar, help=text)
    parser.add_argument(
        "--pull", default="missing", choices=["always", "missing", "never"], help="Pull image before creating"
    )
    add_registry_flags(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="Suppress the pull output")
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="[COMMAND] [ARG...]")


@contextlib.contextmanager
def created(context: Context, options: argparse.Namespace) -> t.Iterator[ContainerRecord]:
    """The new container. While the block runs nobody prunes it, nor its image."""
    from ..operations.lease import leased

    config = read_config(context, options)
    name = options.name
    if name is not None:
        from ..container.values import parse_container_name
        from .taken_name import check_free

        name = parse_container_name(name, "--name")
        check_free(context, name)
    if options.cidfile and os.path.exists(options.cidfile):
        raise Conflict(
            f"container ID file found: {options.cidfile}", "another container may be running with it"
        )
    context.engine.make()
    name = name or _free_name(context)
    images = [
        str(config.image),
        *(mount["source"] for mount in config.mounts or () if mount["type"] == "image"),
    ]
    with leased(context.engine, images=images, containers=[name]):
        from ..operations.create_container import create_container

        for mounted in images[1:]:
            _image_here(context, mounted, None, options)
        image = _image_here(context, images[0], config.platform, options)
        record = create_container(context.engine, name, config, image, str(config.image))
        if options.cidfile:
            _write_id(options.cidfile, record.id)
        yield record


def read_config(context: Context, options: argparse.Namespace) -> ContainerConfig:
    """What was asked for, in normal form."""
    from ..container.contradictions import check_config
    from ..oci.platforms import parse_platform
    from ..reconcile.container_fields import described
    from ..reconcile.container_sight import Sight
    from .container_texts import given_texts

    given = {**given_options(options), **given_texts(options)}
    given["command"] = options.command or None
    config = described(_with_names(context, given))
    check_config(config)
    Sight(context.engine).check_demands(config)
    config.image = _image_name(context, options.image)
    config.platform = str(parse_platform(options.platform)) if options.platform else None
    return config


def _with_names(context: Context, given: dict[str, t.Any]) -> dict[str, t.Any]:
    """Containers and networks by name, where a person may have written the beginning of an id."""
    from .lookup import find_container, find_network

    for key in ("network_mode", "pid_mode", "ipc_mode"):
        kind, colon, name = given.get(key, "").partition(":")
        if kind == "container" and colon:
            given[key] = f"container:{find_container(context, name).name}"
    if given.get("volumes_from"):
        sources = [text.partition(":") for text in given["volumes_from"]]
        given["volumes_from"] = [
            find_container(context, name).name + colon + mode for name, colon, mode in sources
        ]
    for network in given.get("networks", ()):
        with contextlib.suppress(NotFound):
            network["name"] = find_network(context, network["name"]).name
    return given


def _image_name(context: Context, text: str) -> str:
    """The canonical name, or the id of what is here if that was written (or its beginning)."""
    from ..content.images import select_image
    from ..oci.reference import is_image_id, parse_reference
    from .lookup import find_image

    if not is_image_id(text):
        with contextlib.suppress(InvalidInput):
            reference = parse_reference(text)
            if select_image(context.engine.records.read(), reference) is not None:
                return reference.canonical
    try:
        return find_image(context, text).id
    except NotFound:
        return parse_reference(text).canonical


def _image_here(
    context: Context, name: str, platform: str | None, options: argparse.Namespace
) -> ImageRecord:
    from ..oci.platforms import parse_platform
    from ..oci.reference import familiar_name, is_image_id
    from ..operations.resolve_image import resolve_image

    pull = "missing" if options.pull == "always" else options.pull
    if options.pull == "missing" and not options.quiet:
        here = None if is_image_id(name) else resolve_image(context.engine, name, "never", platform=platform)
        if here is not None and here.record is None:
            context.err.write(f"Unable to find image '{familiar_name(name)}' locally\n")
            context.err.flush()
    found = resolve_image(context.engine, name, pull, options=registry_options(options), platform=platform)
    if found.reference is None or (found.record and not found.must_pull and options.pull != "always"):
        return t.cast("ImageRecord", found.record)
    if options.pull == "never":
        raise NotFound(f"No such image: {familiar_name(name)}")
    from .pull_display import pull_with_progress

    wanted = parse_platform(platform) if platform else None
    answers = context._replace(out=context.err)  # standard output is for the container
    how = registry_options(options)
    return pull_with_progress(answers, found.reference, wanted, options.quiet, how).record


def _free_name(context: Context) -> str:
    from ..container.records import find_remains
    from .names_for_boats import choose_name

    names = (choose_name(attempt) for attempt in range(_ATTEMPTS))
    free = (name for name in names if find_remains(context.engine.records, name) is None)
    return next(free, "") or f"boat_{os.urandom(6).hex()}"


def _write_id(path: str, container_id: str) -> None:
    with open(path, "x", encoding="ascii") as file:
        file.write(container_id)
