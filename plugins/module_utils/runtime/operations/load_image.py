# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An image from an archive: like a pull, with members of the archive in the place of a registry's blobs."""

from __future__ import annotations

import functools
import typing as t

from ..errors import CoracleError
from ..oci.reference import Reference
from .history import note
from .in_parallel import in_parallel
from .list_archived_images import ArchivedImage
from .make_layers import Open, Progress, Readable, Take, WantedLayer
from .open_archive import MemberReader
from .store_image import Pulled, store_image
from .storing import storing

if t.TYPE_CHECKING:
    from ..engine import Engine


def load_image(
    engine: Engine,
    image: ArchivedImage,
    names: t.Sequence[Reference],
    progress: t.Callable[[Progress], None] | None = None,
) -> Pulled:
    """Store an archived image, known under `names` (tags) only, whatever the archive calls it."""
    with storing(engine, f"load image {image.parts.id[:19]} from {image.archive.path}"):
        given: dict[str, str | None] = {name.canonical: None for name in names}
        loaded = store_image(engine, image.parts, _Members(image), given, progress)
    note(engine, "image", "load", image.parts.id, name=", ".join(name.familiar for name in names))
    return loaded


class _Members:
    resumes = False

    def __init__(self, image: ArchivedImage) -> None:
        self._archive = image.archive
        self._members = image.members

    def deliver(self, layers: t.Sequence[WantedLayer], take: Take) -> None:
        if not self._archive.in_order:
            in_parallel(lambda layer: take(layer, functools.partial(self.open, layer)), layers)
            return
        wanted = {self._members[layer.blob.digest]: layer for layer in layers}
        for name, reader in self._archive.walk():
            if name in wanted:
                layer = wanted.pop(name)
                take(layer, self._once(reader, layer))
            if not wanted:
                return

    def open(self, layer: WantedLayer, offset: int) -> Readable:
        return self._archive.open(self._members[layer.blob.digest], offset)

    def turn_away(self, _layer: WantedLayer, _error: CoracleError) -> bool:
        return False

    def _once(self, reader: MemberReader, layer: WantedLayer) -> Open:
        """The member that is just passing by; whoever wants it a second time has it looked up."""
        passing: list[MemberReader] = [reader]

        def open_member(offset: int) -> Readable:
            if not passing:
                return self.open(layer, offset)
            member = passing.pop()
            member.skip(offset)
            return member

        return open_member
