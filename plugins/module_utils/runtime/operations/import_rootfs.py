# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The tar of a root file system (plain, gzip or zstd) as an image of one layer.

Nothing in the image depends on where it is imported, nor, for a task, on when: the same tar with the same
configuration is the same image, with the same id, on every host. Therefore it is "created" at the epoch,
unless somebody says when.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import stat
import typing as t

from ..content.images import list_images
from ..errors import CoracleError, IntegrityError, InvalidInput, NotFound, doing
from ..layers.decompress import compression_of, decompressor
from ..layers.headers import known_for_a_tar
from ..layers.limits import Limits
from ..oci.digest import sha256_digest
from ..oci.documents import OCI_CONFIG, OCI_LAYER, Descriptor, Manifest, new_manifest, parse_document
from ..oci.image_config import ImageConfig, new_image_config
from ..oci.reference import Reference
from .history import note
from .make_layers import Progress, Readable, Take, WantedLayer
from .store_image import Parts, Pulled, store_image
from .storing import storing

if t.TYPE_CHECKING:
    from ..engine import Engine

_EPOCH = "1970-01-01T00:00:00Z"
_CHUNK = 1 << 20


class Rootfs(t.NamedTuple):
    """A tar that was read once, and the image that it makes."""

    path: str
    parts: Parts


def read_rootfs(
    engine: Engine, path: str, config: ImageConfig, created: str = _EPOCH, comment: str = ""
) -> Rootfs:
    """What `path` becomes with a configuration (whose `diff_ids`, `created` and `history` are set here).
    Writes nothing. With a time of its own, `created`, each import is another image.

    The tar is hashed, and decompressed only if no image here was made of it. Raises NotFound, InvalidInput,
    IntegrityError.
    """
    with doing(f"read {path}"):
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            compression = compression_of(os.pread(file.fileno(), 8, 0))
            pieces = iter(functools.partial(file.read, _CHUNK), b"")
            digest = _digest_of(known_for_a_tar(pieces) if compression == "none" else pieces)
            media_type = OCI_LAYER if compression == "none" else f"{OCI_LAYER}+{compression}"
            blob = Descriptor(media_type, digest, size)
            if compression == "none":
                diff_id = digest
            else:
                file.seek(0)
                diff_id = _known_diff_id(engine, blob) or _digest_of(
                    known_for_a_tar(decompressor(compression, file.read, Limits()))
                )
        history = {"created": created, "created_by": "coracle import"}
        config = dataclasses.replace(
            config,
            created=created,
            diff_ids=[diff_id],
            history=[{**history, **({"comment": comment} if comment else {})}],
        )
        return Rootfs(path, _parts(config, blob))


def import_rootfs(
    engine: Engine,
    rootfs: Rootfs,
    names: t.Sequence[Reference],
    progress: t.Callable[[Progress], None] | None = None,
) -> Pulled:
    """Store the image under `names` (tags)."""
    with storing(engine, f"import root file system {rootfs.path}"):
        given: dict[str, str | None] = {name.canonical: None for name in names}
        imported = store_image(engine, rootfs.parts, _Tar(rootfs.path), given, progress)
    note(engine, "image", "import", rootfs.parts.id, name=", ".join(name.familiar for name in names))
    return imported


class _Tar:
    resumes = False

    def __init__(self, path: str) -> None:
        self._path = path

    def deliver(self, layers: t.Sequence[WantedLayer], take: Take) -> None:
        for layer in layers:
            take(layer, functools.partial(self.open, layer))

    def open(self, _layer: WantedLayer, offset: int) -> Readable:
        file = _opened(self._path)
        file.seek(offset)
        return t.cast(Readable, file)

    def turn_away(self, _layer: WantedLayer, _error: CoracleError) -> bool:
        return False


def _opened(path: str) -> t.Any:
    """A raw file. A FIFO or a device would be another one at each reading."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFound("there is no such file on this host") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InvalidInput("it is not a regular file", "give the tar of a root file system")
    return open(fd, "rb", buffering=0)


def _digest_of(chunks: t.Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return f"sha256:{found.hexdigest()}"


def _known_diff_id(engine: Engine, blob: Descriptor) -> str | None:
    """Of a blob that an image here has, verified when it was unpacked."""
    for image in list_images(engine.records.read()):
        for layer in image.layers:
            if (layer.digest, layer.media_type) == (blob.digest, blob.media_type):
                return layer.diff_id
    return None


def _parts(config: ImageConfig, blob: Descriptor) -> Parts:
    raw_config = new_image_config(config)
    raw = new_manifest(Descriptor(OCI_CONFIG, sha256_digest(raw_config), len(raw_config)), [blob])
    manifest = parse_document(raw)
    if not isinstance(manifest, Manifest):
        raise IntegrityError("the image cannot be described by a manifest")
    return Parts(manifest, config, raw, raw_config)
