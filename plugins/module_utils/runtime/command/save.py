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

    images = _merged([_image(context, text) for text in options.images])
    if options.output:
        with _new_file(options.output) as file:
            written = save_images(context.engine, images, file)
        if context.json:
            context.say_json({"path": options.output, "bytes": written})
        return 0
    if context.out.isatty():
        raise InvalidInput("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    with os.fdopen(os.dup(context.out.fileno()), "wb") as sink:
        save_images(context.engine, images, sink)
    return 0


def _image(context: Context, text: str) -> ImageToSave:
    """A name without a tag means all tags of its repository; an id has no name in the archive."""
    from ..content.images import names_of
    from ..operations.save_image import ImageToSave
    from .rmi import meant

    wanted = meant(context, text)
    record = find_image(context, text)
    if isinstance(wanted, str) or wanted.digest:
        return ImageToSave(record)
    if text.rpartition("/")[2].count(":"):
        return ImageToSave(record, (wanted.canonical,))
    names = names_of(context.engine.records.read(), record.id)
    tags = [name.name for name in names if name.repository_name == wanted.repository_name]
    return ImageToSave(record, tuple(name for name in tags if "@" not in name))


def _merged(images: t.Iterable[ImageToSave]) -> list[ImageToSave]:
    """Each image once, with all names that it was asked for by."""
    found: dict[str, ImageToSave] = {}
    for image in images:
        before = found.get(image.record.id)
        names = (*before.names, *image.names) if before else image.names
        found[image.record.id] = image._replace(names=tuple(dict.fromkeys(names)))
    return list(found.values())


class _new_file:
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
