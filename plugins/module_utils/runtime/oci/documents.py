# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Manifests and indexes: parsed once, checked completely, then trusted.

    registry ──▶ index ──select_platform──▶ manifest ──▶ config   (image_config.py)
                                                    └──▶ layers   (bottom first)

Formats: OCI image-spec 1.0 and 1.1 (manifest.md, image-index.md, descriptor.md) and Docker "Image Manifest
Version 2, Schema 2". Refused with a sentence each: Docker schema 1, artifacts that are not images (Helm
charts, signatures), layers that live elsewhere ("foreign", "non-distributable"), encrypted layers. A document
is refused when it could be read as a manifest *and* as an index (CVE-2021-41190), or when its own media type
contradicts the one it was served as.
"""

from __future__ import annotations

import typing as t

from ..errors import IntegrityError
from .digest import parse_digest, sha256_digest
from .platforms import Platform, normalised
from .strict_json import MAX_DOCUMENT, dump_canonical, parse_json_object

if t.TYPE_CHECKING:
    from .image_config import ImageConfig

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

INDEX_TYPES = (OCI_INDEX, DOCKER_INDEX)
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
CONFIG_TYPES = (OCI_CONFIG, DOCKER_CONFIG)
ACCEPTED_TYPES = (OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST)

MAX_LAYERS = 500
"""overlayfs stacks at most 500 layers (`OVL_MAX_STACK`)."""
MAX_INDEX_ENTRIES = 1000
MAX_SIZE = (1 << 63) - 1

_COMPRESSIONS = {
    OCI_LAYER: "none",
    OCI_LAYER + "+gzip": "gzip",
    OCI_LAYER + "+zstd": "zstd",
    DOCKER_LAYER: "none",
    DOCKER_LAYER + ".gzip": "gzip",
    DOCKER_LAYER + ".zstd": "zstd",
}
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
_UNSPECIFIC = ("", "application/json", "application/octet-stream", "binary/octet-stream", "text/plain")


class Descriptor(t.NamedTuple):
    """A promise about content that is somewhere else: descriptor.md. `size` is in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: t.Mapping[str, str] = {}

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    def to_json(self) -> dict[str, t.Any]:
        """The descriptor as it is written into a manifest; the platform is not (only an index has them)."""
        document: dict[str, t.Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return {**document, "annotations": dict(self.annotations)} if self.annotations else document


class Manifest(t.NamedTuple):
    """One image for one platform. `digest` and `size` are those of the bytes that were parsed."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    digest: str
    size: int


class Index(t.NamedTuple):
    """The same image for several platforms (Docker says "manifest list")."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    digest: str
    size: int


def parse_document(raw: bytes, content_type: str | None = None) -> Manifest | Index:
    """What `raw` is: a `Manifest` or an `Index`.

    `content_type` is what the server, or the descriptor that led here, said it is: it must agree with the
    document's own `mediaType` when both say something. Raises `IntegrityError`.
    """
    told = _bare_type(content_type)
    _refuse_known_others(told)
    document = parse_json_object(raw, "image manifest", MAX_DOCUMENT)
    media_type = _agreed_type(document, told)
    if document.get("schemaVersion") != 2 or isinstance(document["schemaVersion"], bool):
        raise IntegrityError("image manifest: schemaVersion is not 2")
    identity = (sha256_digest(raw), len(raw))
    if media_type in INDEX_TYPES:
        return Index(media_type, _index_entries(document), *identity)
    return Manifest(media_type, _config(document), _layers(document), *identity)


def layer_compression(media_type: str) -> str:
    """`gzip`, `zstd` or `none`; raises `IntegrityError` for layers that cannot be had or read."""
    if media_type in _COMPRESSIONS:
        return _COMPRESSIONS[media_type]
    if "foreign" in media_type or "nondistributable" in media_type:
        raise IntegrityError(
            f"layer type {media_type[:120]!r}: layers that are not in the registry are never fetched"
        )
    if media_type.endswith("+encrypted"):
        raise IntegrityError(f"layer type {media_type[:120]!r}: encrypted layers are not supported")
    raise IntegrityError(f"layer type {media_type[:120]!r} is not known", "layers are tar, gzip or zstd")


def check_image(manifest: Manifest, config: ImageConfig) -> None:
    """Raises `IntegrityError` unless the configuration names one diff id per layer of the manifest
    (config.md, rootfs).
    """
    layers, diff_ids = len(manifest.layers), len(config.diff_ids)
    if layers != diff_ids:
        raise IntegrityError(
            f"the manifest has {layers} layers and the image configuration has {diff_ids} diff ids"
        )


def new_manifest(config: Descriptor, layers: t.Sequence[Descriptor]) -> bytes:
    """An OCI manifest for content that is already stored; equal input gives equal bytes."""
    return dump_canonical(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
    )


def _bare_type(content_type: str | None) -> str:
    """`application/json; charset=utf-8` → `application/json`; types that say nothing → empty."""
    bare = (content_type or "").partition(";")[0].strip().lower()
    return "" if bare in _UNSPECIFIC else bare


def _refuse_known_others(media_type: str) -> None:
    if media_type.startswith(_SCHEMA_1):
        raise IntegrityError(
            "the image is in Docker's schema 1 format, which is not supported",
            "push it again with a current docker, podman or skopeo",
        )
    if media_type and media_type not in ACCEPTED_TYPES:
        raise IntegrityError(f"{media_type[:120]!r} is neither an image manifest nor an image index")


def _agreed_type(document: dict[str, t.Any], told: str) -> str:
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        _refuse_known_others(_SCHEMA_1)
    own = _text(document, "mediaType", "image manifest")
    _refuse_known_others(own)
    if own and told and own != told:
        raise IntegrityError(f"image manifest: served as {told}, but it says that it is {own}")
    looks_like_index = "manifests" in document
    looks_like_manifest = "config" in document or "layers" in document
    if looks_like_index == looks_like_manifest:
        which = (
            "is both a manifest and an index" if looks_like_index else "is neither a manifest nor an index"
        )
        raise IntegrityError(f"image manifest: the document {which}")
    media_type = own or told or (OCI_INDEX if looks_like_index else OCI_MANIFEST)
    if (media_type in INDEX_TYPES) != looks_like_index:
        raise IntegrityError(f"image manifest: the document is not the {media_type} that it claims to be")
    return media_type


def _index_entries(document: dict[str, t.Any]) -> tuple[Descriptor, ...]:
    entries = _descriptors(document, "manifests", MAX_INDEX_ENTRIES)
    for entry in entries:
        if entry.size > MAX_DOCUMENT:
            raise IntegrityError(
                f"image index: the manifest {entry.digest} is said to be {entry.size} bytes large"
            )
    return entries


def _config(document: dict[str, t.Any]) -> Descriptor:
    config = _descriptor(document.get("config"), "image manifest: config")
    if config.media_type not in CONFIG_TYPES:
        kind = _text(document, "artifactType", "image manifest") or config.media_type
        raise IntegrityError(
            f"this is not a container image: its configuration is of type {kind[:120]!r}",
            "artifacts such as Helm charts and signatures cannot be run",
        )
    if config.size > MAX_DOCUMENT:
        raise IntegrityError(f"image manifest: the configuration is said to be {config.size} bytes large")
    return config


def _layers(document: dict[str, t.Any]) -> tuple[Descriptor, ...]:
    layers = _descriptors(document, "layers", MAX_LAYERS)
    for layer in layers:
        layer_compression(layer.media_type)
    return layers


def _descriptors(document: dict[str, t.Any], key: str, limit: int) -> tuple[Descriptor, ...]:
    items = document.get(key)
    if not isinstance(items, list):
        raise IntegrityError(f"image manifest: {key} is not a list")
    if len(items) > limit:
        raise IntegrityError(f"image manifest: {key} has {len(items)} entries; at most {limit} are supported")
    return tuple(
        _descriptor(item, f"image manifest: {key}[{position}]") for position, item in enumerate(items)
    )


def _descriptor(value: t.Any, where: str) -> Descriptor:
    """`urls` are ignored on purpose: content comes from the registry that was asked, or not at all
    (CVE-2020-15157).
    """
    if not isinstance(value, dict):
        raise IntegrityError(f"{where} is not an object")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE:
        raise IntegrityError(f"{where}: size is not a number of bytes")
    media_type = _text(value, "mediaType", where)
    if not media_type:
        raise IntegrityError(f"{where}: there is no mediaType")
    try:
        digest = parse_digest(value.get("digest"))
    except IntegrityError as error:
        error.during(where)
        raise
    return Descriptor(
        media_type, digest, size, _platform(value.get("platform"), where), _annotations(value, where)
    )


def _platform(value: t.Any, where: str) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise IntegrityError(f"{where}: platform is not an object")
    names = ("os", "architecture", "variant", "os.version")
    return normalised(*(_text(value, name, where)[:64] for name in names))


def _annotations(value: dict[str, t.Any], where: str) -> dict[str, str]:
    annotations = value.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(isinstance(text, str) for text in annotations.values()):
        raise IntegrityError(f"{where}: annotations are not texts")
    return annotations


def _text(value: dict[str, t.Any], key: str, where: str) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise IntegrityError(f"{where}: {key} is not a text")
    return text
