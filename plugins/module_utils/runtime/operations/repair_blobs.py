# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Blobs that are damaged or gone, once more from the registry that their image came from."""

from __future__ import annotations

import contextlib
import typing as t

from ..content.blobs import CHUNK, BlobStore
from ..content.images import ImageRecord, names_of
from ..errors import NotFound
from ..oci.digest import VerifyingReader
from ..oci.documents import Descriptor
from ..oci.platforms import Platform
from ..oci.reference import parse_reference
from .pull_image import Repository
from .storing import storing

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..registry.client import RegistryClient
    from ..registry.options import RegistryOptions


def repair_blobs(
    engine: Engine, record: ImageRecord, digests: t.Collection[str], options: RegistryOptions | None = None
) -> None:
    """NotFound if the image came from no registry."""
    names = [name.name for name in names_of(engine.records.read(), record.id) if name.manifest_digest]
    with storing(engine, f"repair image {record.id[:19]}"):
        if not names:
            raise NotFound("it came from no registry", "load the image again")
        from ..registry.client import RegistryClient

        reference = parse_reference(names[0])
        with contextlib.closing(RegistryClient(reference.registry, options)) as client:
            _bring_documents(engine, client, reference.repository, record, digests)
            for layer in record.layers:
                if layer.digest in digests:
                    blob = Descriptor(layer.media_type, layer.digest, layer.size)
                    _bring_blob(BlobStore(engine.paths), client, reference.repository, blob)


def _bring_documents(
    engine: Engine,
    client: RegistryClient,
    repository: str,
    record: ImageRecord,
    digests: t.Collection[str],
) -> None:
    if not {record.id, record.manifest_digest}.intersection(digests):
        return
    config = record.image_config
    platform = Platform(config.os, config.architecture, config.variant)
    reference = parse_reference(f"{client.registry}/{repository}@{record.manifest_digest}")
    parts, _digest = Repository(client, repository).image(reference, platform)
    for document in (parts.raw_manifest, parts.raw_config):
        BlobStore(engine.paths).put(document)


def _bring_blob(store: BlobStore, client: RegistryClient, repository: str, blob: Descriptor) -> None:
    """The damaged one stays until the new one is complete."""
    with store.ingest(blob.digest, blob.size) as ingest:
        for _piece in ingest.replay():
            pass
        reader = VerifyingReader(client.open_blob(repository, blob, ingest.position), blob.digest, blob.size)
        with contextlib.closing(reader):
            while piece := reader.read(CHUNK):
                ingest.write(piece)
        store.commit([ingest])
