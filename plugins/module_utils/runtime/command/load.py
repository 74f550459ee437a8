# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle load`: the images of an archive, with the names that they have there.

A task never takes names from an archive. A person who types this means them.
"""

from __future__ import annotations

import argparse
import contextlib
import typing as t

from ..errors import InvalidInput

if t.TYPE_CHECKING:
    from ..oci.reference import Reference
    from ..operations.list_archived_images import ArchivedImage
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--input", metavar="FILE", help="Read from this file, instead of STDIN")
    parser.add_argument("-q", "--quiet", action="store_true", help="Suppress the load output")
    parser.add_argument("--platform", metavar="string", help="Load for this platform, like linux/arm64")
    parser.epilog = """
        coracle load -i images.tar
        ssh other coracle save nginx | coracle load
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..oci.platforms import host_platform, parse_platform
    from ..operations.list_archived_images import list_archived_images
    from ..operations.load_image import load_image
    from ..operations.open_archive import open_archive

    platform = parse_platform(options.platform) if options.platform else host_platform()
    answers = []
    with readable(context, options.input) as path, contextlib.closing(open_archive(path)) as archive:
        for image in list_archived_images(archive, platform):
            names = _names(image)
            moved = _led_elsewhere(context, image, names)
            loaded = load_image(context.engine, image, names)
            answers.append({"id": loaded.record.id, "names": [name.familiar for name in names]})
            if not context.json and not options.quiet:
                _tell(context, loaded.record.id, names, moved)
    if context.json:
        context.say_json(answers)
    return 0


@contextlib.contextmanager
def readable(context: Context, path: str | None) -> t.Iterator[str]:
    """A path that can be read at any place; what comes through a pipe is put aside, on the engine's disk."""
    if path and path != "-":
        yield path
        return
    if context.stdin.isatty():
        raise InvalidInput("requested load from stdin, but stdin is empty", "give -i FILE, or a pipe")
    import shutil
    import tempfile

    from ..linux.files import make_private_directory

    make_private_directory(context.engine.paths.root)
    with tempfile.TemporaryFile(dir=context.engine.paths.root) as aside:
        shutil.copyfileobj(context.stdin.buffer, aside, 1 << 20)
        aside.flush()
        yield f"/proc/self/fd/{aside.fileno()}"


def _names(image: ArchivedImage) -> list[Reference]:
    """Those that are tags; a layout has the tag alone beside each of them."""
    from ..oci.reference import parse_reference

    found = []
    for text in image.names:
        with contextlib.suppress(InvalidInput):
            reference = parse_reference(text)
            if ":" in text.rpartition("/")[2] and reference.digest is None:
                found.append(reference)
    return list(dict.fromkeys(found))


def _led_elsewhere(context: Context, image: ArchivedImage, names: t.Iterable[Reference]) -> dict[str, str]:
    """Names that another image has until now, and its id."""
    from ..content.images import find_name

    rows = context.engine.records.read()
    found = {name.familiar: find_name(rows, name.canonical) for name in names}
    return {
        name: there.image_id for name, there in found.items() if there and there.image_id != image.parts.id
    }


def _tell(context: Context, image_id: str, names: t.Sequence[Reference], moved: t.Mapping[str, str]) -> None:
    for name, before in moved.items():
        context.say(f"The image {name} already exists, renaming the old one with ID {before} to empty string")
    for reference in names:
        context.say(f"Loaded image: {reference.familiar}")
    if not names:
        context.say(f"Loaded image ID: {image_id}")
