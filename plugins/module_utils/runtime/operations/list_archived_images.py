# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The images in an archive: an OCI layout (index.json), else what `docker save` writes (manifest.json).

What an archive says about names only serves to choose between several images; nothing is ever tagged with it
(CVE-2026-50195). Content is found by digest: configuration and manifest are verified here, layers when
they are unpacked.
"""

from __future__ import annotations

import typing as t

from ..errors import IntegrityError, InvalidInput, NotFound, doing
from ..layers.decompress import compression_of
from ..oci.digest import hex_of, sha256_digest
from ..oci.documents import (
    OCI_CONFIG,
    OCI_LAYER,
    Descriptor,
    Index,
    Manifest,
    check_image,
    new_manifest,
    parse_document,
)
from ..oci.image_config import ImageConfig, parse_image_config
from ..oci.platforms import Platform, check_platform, select_platform
from ..oci.reference import parse_reference
from ..oci.strict_json import parse_json
from .open_archive import Archive
from .store_image import Parts

_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_ATTESTATION = "vnd.docker.reference.type"
_MAX_DEPTH = 3


class ArchivedImage(t.NamedTuple):
    """One image in an archive. `names`: what the archive calls it; `members`: blob digest → member."""

    archive: Archive
    names: tuple[str, ...]
    parts: Parts
    members: t.Mapping[str, str]


def choose_image(images: t.Sequence[ArchivedImage], wanted: str | None, path: str) -> ArchivedImage:
    """The only one, or the one that the archive calls `wanted`. InvalidInput if that does not settle it."""
    if len(images) == 1:
        return images[0]
    named = [image for image in images if wanted and any(_same(name, wanted) for name in image.names)]
    if len(named) == 1:
        return named[0]
    there = sorted({name for image in images for name in image.names})
    raise InvalidInput(
        f"{path} has {len(images)} images: {', '.join(there) or 'without names'}",
        "say which one with archive_name",
    )


def list_archived_images(archive: Archive, platform: Platform) -> list[ArchivedImage]:
    """The images for a platform. IntegrityError where the archive is damaged, NotFound where it has none."""
    with doing(f"read {archive.path}"):
        if "index.json" in archive.members:
            return _each_once(_Layout(archive, platform).images())
        if "manifest.json" in archive.members:
            return _each_once(_DockerArchive(archive, platform).images())
        raise InvalidInput(
            "it is neither an OCI layout nor written by docker save: there is no index.json or manifest.json",
            "for the tar of a root file system use source: rootfs",
        )


def _each_once(images: t.Iterable[ArchivedImage]) -> list[ArchivedImage]:
    """An image that the archive has under several names is one."""
    found: dict[str, ArchivedImage] = {}
    for image in images:
        before = found.get(image.parts.id)
        names = (*before.names, *image.names) if before else image.names
        found[image.parts.id] = (before or image)._replace(names=tuple(dict.fromkeys(names)))
    return list(found.values())


def _same(name: str, wanted: str) -> bool:
    """Equal as references; a bare tag (`1.2`, in the ref.name of a layout) only equals itself."""
    if name == wanted:
        return True
    try:
        return parse_reference(name) == parse_reference(wanted)
    except InvalidInput:
        return False


class _Layout:
    """image-spec, image-layout.md: index.json leads to manifests or further indexes in blobs/sha256/."""

    def __init__(self, archive: Archive, platform: Platform) -> None:
        self._archive = archive
        self._platform = platform

    def images(self) -> list[ArchivedImage]:
        top = parse_document(self._archive.read("index.json"))
        if isinstance(top, Manifest):
            raise IntegrityError("index.json is not an image index")
        groups: dict[tuple[str, ...], list[Descriptor]] = {}
        for entry in top.manifests:
            if _ATTESTATION not in entry.annotations:
                groups.setdefault(_names_of(entry), []).append(entry)
        if not groups:
            raise NotFound("there is no image in it")
        return [self._image(names, entries) for names, entries in groups.items()]

    def _image(self, names: tuple[str, ...], entries: list[Descriptor]) -> ArchivedImage:
        """Several entries of one name are one image for several platforms."""
        if len(entries) > 1:
            entries = [select_platform(Index("", tuple(entries), "", 0), self._platform)]
        raw, manifest = self._manifest(entries[0])
        raw_config = self._blob(manifest.config)
        config = parse_image_config(raw_config)
        check_image(manifest, config)
        check_platform(self._platform, config)
        members = {layer.digest: self._member(layer) for layer in manifest.layers}
        return ArchivedImage(self._archive, names, Parts(manifest, config, raw, raw_config), members)

    def _member(self, layer: Descriptor) -> str:
        name = _blob_name(layer.digest)
        if self._archive.members.get(name) != layer.size:
            raise IntegrityError(f"{name} is not in it as a regular file of {layer.size} bytes")
        return name

    def _manifest(self, entry: Descriptor) -> tuple[bytes, Manifest]:
        for _depth in range(_MAX_DEPTH):
            raw = self._blob(entry)
            document = parse_document(raw, entry.media_type)
            if isinstance(document, Manifest):
                return raw, document
            entry = select_platform(document, self._platform)
        raise IntegrityError(f"{entry.digest}: an index in an index in an index")

    def _blob(self, descriptor: Descriptor) -> bytes:
        raw = self._archive.read(_blob_name(descriptor.digest))
        if len(raw) != descriptor.size or sha256_digest(raw) != descriptor.digest:
            raise IntegrityError(f"blob {descriptor.digest} is not what its digest and size say")
        return raw


class _DockerArchive:
    """manifest.json: for each image its configuration, its names and its layers, which are plain tars.

    A layer that images share is a symbolic link in all but one of them. It is found through its diff id.
    """

    def __init__(self, archive: Archive, platform: Platform) -> None:
        self._archive = archive
        self._platform = platform
        self._members: dict[str, str] = {}

    def images(self) -> list[ArchivedImage]:
        entries = parse_json(self._archive.read("manifest.json"), "manifest.json")
        if not isinstance(entries, list) or not entries:
            raise IntegrityError("manifest.json is not a list of images")
        read = [self._read(entry) for entry in entries]
        return [self._image(names, raw_config, config) for names, raw_config, config in read]

    def _read(self, entry: t.Any) -> tuple[tuple[str, ...], bytes, ImageConfig]:
        if not isinstance(entry, dict):
            raise IntegrityError("manifest.json: an image is not an object")
        names = _texts(entry.get("RepoTags") or [], "RepoTags")
        raw_config = self._archive.read(_texts([entry.get("Config")], "Config")[0])
        config = parse_image_config(raw_config)
        layers = _texts(entry.get("Layers") or [], "Layers")
        if len(layers) != len(config.diff_ids):
            raise IntegrityError(f"an image has {len(layers)} layers and {len(config.diff_ids)} diff ids")
        check_platform(self._platform, config)
        for diff_id, member in zip(config.diff_ids, layers):
            if member in self._archive.members:
                self._members[diff_id] = member
        return tuple(names), raw_config, config

    def _image(self, names: tuple[str, ...], raw_config: bytes, config: ImageConfig) -> ArchivedImage:
        layers = [self._layer(diff_id) for diff_id in config.diff_ids]
        raw = new_manifest(Descriptor(OCI_CONFIG, sha256_digest(raw_config), len(raw_config)), layers)
        manifest = parse_document(raw)
        if not isinstance(manifest, Manifest):
            raise IntegrityError("the image cannot be described by a manifest")
        members = {layer.digest: self._members[diff_id] for diff_id, layer in zip(config.diff_ids, layers)}
        return ArchivedImage(self._archive, names, Parts(manifest, config, raw, raw_config), members)

    def _layer(self, diff_id: str) -> Descriptor:
        member = self._members.get(diff_id)
        if member is None:
            raise IntegrityError(f"layer {diff_id} is not in it as a regular file")
        with self._archive.open(member) as reader:
            start = memoryview(bytearray(8))
            compression = compression_of(bytes(start[: reader.readinto(start)]))
        if compression == "none":
            return Descriptor(OCI_LAYER, diff_id, self._archive.members[member])
        return Descriptor(f"{OCI_LAYER}+{compression}", self._digest(member), self._archive.members[member])

    def _digest(self, member: str) -> str:
        import hashlib

        found = hashlib.sha256()
        buffer = memoryview(bytearray(1 << 20))
        with self._archive.open(member) as reader:
            while count := reader.readinto(buffer):
                found.update(buffer[:count])
        return f"sha256:{found.hexdigest()}"


def _names_of(entry: Descriptor) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.annotations[key] for key in _NAMES if entry.annotations.get(key)))


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


def _texts(values: t.Any, key: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise IntegrityError(f"manifest.json: {key} is not what it should be")
    return values
