# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Images as one archive: an OCI layout that is also what `docker save` writes.

    blobs/sha256/<hex>   layers, configurations and manifests, as they came, each once
    index.json           the manifests, with the names of the images
    manifest.json        the same for those who read Docker's archives
    oci-layout

What is written is verified on the way: a damaged blob ends it with an error, and whoever reads the archive
finds the digests that the registry gave. Source: image-spec, image-layout.md; github.com/moby/moby, image
tarexport.
"""

from __future__ import annotations

import json
import typing as t

from ..content.blobs import CHUNK, BlobStore
from ..content.images import ImageRecord
from ..errors import IntegrityError, doing
from ..linux.locks import lock
from ..oci.digest import hex_of, sha256_digest
from ..oci.documents import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    new_manifest,
    parse_document,
)
from ..oci.reference import familiar_name, parse_reference

if t.TYPE_CHECKING:
    from ..engine import Engine

_BLOCK = 512
_RECORD = 20 * _BLOCK  # tar archives are a whole number of these


class ImageToSave(t.NamedTuple):
    """`names` are tags in canonical form; none for an image that is to be found by its id."""

    record: ImageRecord
    names: tuple[str, ...] = ()


class Sink(t.Protocol):
    def write(self, data: bytes, /) -> t.Any: ...


def save_images(engine: Engine, images: t.Sequence[ImageToSave], sink: Sink) -> int:
    """Write an archive, in one pass; the bytes written. IntegrityError where a blob is damaged or gone: the
    image has to be pulled again, and what was written is of no use.
    """
    with doing("save images"), lock(engine.paths, "content", shared=True):
        archive = _Tar(sink)
        blobs = BlobStore(engine.paths)
        manifests = {image.record.id: _manifest(blobs, image.record) for image in images}
        for digest in _digests(images):
            _add_blob(archive, blobs, digest)
        for digest, content in {one.digest: one.content for one in manifests.values()}.items():
            archive.add(_member(digest), content)
        archive.add("index.json", _index(manifests, images))
        archive.add("manifest.json", _docker_manifest(images))
        archive.add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        return archive.finish()


def _digests(images: t.Sequence[ImageToSave]) -> list[str]:
    """Layers first: whoever reads the archive as a stream knows what to do with them at its end anyway."""
    records = [image.record for image in images]
    layers = [layer.digest for record in records for layer in record.layers]
    return list(dict.fromkeys([*layers, *(record.id for record in records)]))


class _Manifest(t.NamedTuple):
    media_type: str
    content: bytes
    digest: str


def _manifest(blobs: BlobStore, record: ImageRecord) -> _Manifest:
    """The one that the image came with; another one for an image that shares layers with one that came in
    other blobs, compressed otherwise: only those are here.
    """
    if not blobs.has(record.manifest_digest):
        raise _gone(record.manifest_digest)
    content = blobs.read(record.manifest_digest)
    asked = parse_document(content)
    layers = [Descriptor(layer.media_type, layer.digest, layer.size) for layer in record.layers]
    if isinstance(asked, Manifest) and [one.digest for one in asked.layers] == [one.digest for one in layers]:
        return _Manifest(record.media_type, content, record.manifest_digest)
    content = new_manifest(Descriptor(OCI_CONFIG, record.id, blobs.size(record.id)), layers)
    return _Manifest(OCI_MANIFEST, content, sha256_digest(content))


def _gone(digest: str) -> IntegrityError:
    return IntegrityError(f"blob {digest} is gone", "pull or load the image again")


def _add_blob(archive: _Tar, blobs: BlobStore, digest: str) -> None:
    size = blobs.size(digest)
    if not size:
        raise _gone(digest)
    archive.begin(_member(digest), size)
    with blobs.open(digest, size) as reader:
        while piece := reader.read(CHUNK):
            archive.write(piece)
    archive.pad()


def _member(digest: str) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


def _index(known: t.Mapping[str, _Manifest], images: t.Sequence[ImageToSave]) -> bytes:
    """One entry for each name, as Docker has it."""
    manifests = []
    for image in images:
        manifest = known[image.record.id]
        descriptor = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.content),
        }
        for name in image.names:
            tag = parse_reference(name).tag
            names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
            manifests.append({**descriptor, "annotations": names})
        if not image.names:
            manifests.append(descriptor)
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()


def _docker_manifest(images: t.Sequence[ImageToSave]) -> bytes:
    entries = [
        {
            "Config": _member(image.record.id),
            "RepoTags": [familiar_name(name) for name in image.names] or None,
            "Layers": [_member(layer.digest) for layer in image.record.layers],
        }
        for image in images
    ]
    return json.dumps(entries).encode()


class _Tar:
    """Regular files with nothing to tell but their content; the same images give the same bytes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._written = 0

    def add(self, name: str, content: bytes) -> None:
        self.begin(name, len(content))
        self.write(content)
        self.pad()

    def begin(self, name: str, size: int) -> None:
        from tarfile import GNU_FORMAT, TarInfo

        member = TarInfo(name)
        member.size = size
        self.write(member.tobuf(GNU_FORMAT))

    def write(self, piece: bytes) -> None:
        self._sink.write(piece)
        self._written += len(piece)

    def pad(self, unit: int = _BLOCK) -> None:
        self.write(bytes(-self._written % unit))

    def finish(self) -> int:
        self.write(bytes(2 * _BLOCK))
        self.pad(_RECORD)
        return self._written
