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

    try:
        removed = remove_image(context.engine, meant(context, text), force)
    except Conflict as error:
        problem = error.message.rpartition(": ")[2] if "names in" not in error.message else error.message
        raise Conflict(f"conflict: unable to remove {text} (must be forced) - {problem}") from None
    context.engine.warn(*filter(None, [removed.warning]))
    lines = [f"Untagged: {familiar_name(name)}" for name in removed.names]
    return "\n".join([*lines, *([f"Deleted: {removed.image_id}"] if removed.image_id else [])])


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
