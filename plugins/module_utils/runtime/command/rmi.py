# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle rmi`: take names from images, and with the last name the image."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import Conflict, InvalidInput
from .each import for_each
from .lookup import find_image

if t.TYPE_CHECKING:
    from ..oci.reference import Reference
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--force", action="store_true", help="Take all names, also of an image that containers use"
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.epilog = """
        coracle rmi nginx:1.25
        coracle rmi $(coracle images --filter dangling=true -q)
    """


def run(context: Context, options: argparse.Namespace) -> int:
    return for_each(context, options.images, lambda text: remove(context, text, options.force))


def remove(context: Context, text: str, force: bool) -> str:
    """What Docker says about it."""
    from ..oci.reference import familiar_name
    from ..operations.remove_image import remove_image

    wanted = meant(context, text)
    _check_use(context, wanted, text, force)
    removed = remove_image(context.engine, wanted, force)
    context.engine.warn(*filter(None, [removed.warning]))
    lines = [f"Untagged: {familiar_name(name)}" for name in removed.names]
    return "\n".join([*lines, *([f"Deleted: {removed.image_id}"] if removed.image_id else [])])


def _check_use(context: Context, wanted: Reference | str, text: str, force: bool) -> None:
    """Conflict, in Docker's words, where the image would lose its last name although a container needs it.
    With force it loses it, unless it was asked for by its id and the container runs.
    """
    from ..content.images import names_for, names_of, users_of

    rows = context.engine.records.read()
    image_id = wanted if isinstance(wanted, str) else names_for(rows, wanted)[0].image_id
    names = names_of(rows, image_id)
    if not isinstance(wanted, str):
        users = users_of(rows, image_id)
        if users and not force and len(names) == len(names_for(rows, wanted)):
            raise Conflict(
                f'conflict: unable to remove repository reference "{text}" (must force) - container'
                f" {next(iter(users))[:12]} is using its referenced image {image_id[7:19]}"
            )
        return
    if len({name.repository_name for name in names}) > 1 and not force:
        raise Conflict(
            f"conflict: unable to delete {image_id[7:19]} (must be forced) - image is referenced in multiple"
            " repositories"
        )
    for running, container_id in _users(context, users_of(rows, image_id)):
        if running or not force:
            way, how = ("cannot", "running") if running else ("must", "stopped")
            raise Conflict(
                f"conflict: unable to delete {image_id[7:19]} ({way} be forced) - image is being used by"
                f" {how} container {container_id[:12]}"
            )


def _users(context: Context, containers: t.Iterable[str]) -> list[tuple[bool, str]]:
    """(does it run, id), those that run first."""
    from ..container.records import find_remains
    from ..container.status import living_processes

    records = (find_remains(context.engine.records, container_id) for container_id in containers)
    found = [record for record in records if record is not None]
    paths = context.engine.paths
    return sorted(((living_processes(paths, one).init is not None, one.id) for one in found), reverse=True)


def meant(context: Context, text: str) -> Reference | str:
    """A name, if there is an image of this name; else the id that it is, or begins. NotFound if there is
    neither.
    """
    from ..content.images import names_for
    from ..oci.reference import is_image_id, parse_reference

    try:
        reference = None if is_image_id(text) else parse_reference(text)
    except InvalidInput:
        reference = None
    if reference and names_for(context.engine.records.read(), reference):
        return reference
    return find_image(context, text).id
