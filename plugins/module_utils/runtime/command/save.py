# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle save`: images as one archive, for docker, podman, skopeo and this engine."""

from __future__ import annotations

import argparse
import os
import typing as t

from ..errors import InvalidInput
from .lookup import find_image

if t.TYPE_CHECKING:
    from ..operations.save_image import ImageToSave
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="Write to a file, instead of STDOUT")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.epilog = """
        coracle save -o nginx.tar nginx:1.27
        coracle save team/app team/db:3 | gzip > images.tar.gz
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.save_image import save_images

    images = _merged(image for text in options.images for image in _images(context, text))
    if options.output:
        with NewFile(options.output) as file:
            written = save_images(context.engine, images, file)
        if context.json:
            context.say_json({"path": options.output, "bytes": written})
        return 0
    if context.out.isatty():
        raise InvalidInput("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    with os.fdopen(os.dup(context.out.fileno()), "wb") as sink:
        save_images(context.engine, images, sink)
    return 0


def _images(context: Context, text: str) -> list[ImageToSave]:
    """A name without a tag means all tags of its repository; an id has no name in the archive."""
    from ..operations.save_image import ImageToSave
    from .rmi import meant

    found = _tagged(context, text)
    if found:
        return found
    wanted = meant(context, text)
    record = find_image(context, text)
    if isinstance(wanted, str) or wanted.digest:
        return [ImageToSave(record)]
    return [ImageToSave(record, (wanted.canonical,))]


def _tagged(context: Context, text: str) -> list[ImageToSave]:
    """The images of a repository, if it is one."""
    from ..content.images import list_images, names_of
    from ..oci.reference import parse_reference
    from ..operations.save_image import ImageToSave

    try:
        repository = parse_reference(text).repository_name
    except InvalidInput:
        return []  # an id
    if "@" in text or ":" in text.rpartition("/")[2]:
        return []
    rows = context.engine.records.read()
    found = []
    for record in list_images(rows, damaged=[]):
        names = [name for name in names_of(rows, record.id) if name.repository_name == repository]
        tags = tuple(name.name for name in names if "@" not in name.name)
        found += [ImageToSave(record, tags)] if tags else []
    return found


def _merged(images: t.Iterable[ImageToSave]) -> list[ImageToSave]:
    """Each image once, with all names that it was asked for by."""
    found: dict[str, ImageToSave] = {}
    for image in images:
        before = found.get(image.record.id)
        names = (*before.names, *image.names) if before else image.names
        found[image.record.id] = image._replace(names=tuple(dict.fromkeys(names)))
    return list(found.values())


class NewFile:
    """A file that is there, whole, only if all goes well."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._unfinished = f"{path}.{os.getpid()}.unfinished"

    def __enter__(self) -> t.BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._unfinished, flags, 0o600), "wb")
        return self._file

    def __exit__(self, error: object, *_rest: object) -> None:
        try:
            self._file.close()
            if error is None:
                os.rename(self._unfinished, self._path)
        finally:
            if os.path.lexists(self._unfinished):
                os.unlink(self._unfinished)
