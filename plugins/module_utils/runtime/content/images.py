# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Image records: which images are here, what they are made of, and under which names they are known.

Two tables of state.db. An image is one row of `images`, found by its id (the digest of its configuration, as
in Docker). Any number of `image_names` lead to it: `docker.io/library/nginx:1.2` for a tag,
`docker.io/library/nginx@sha256:…` for an image that was asked for by digest. A name remembers the digest that
the registry gave for it (of the index, where there is one), so that one HEAD request can tell whether the tag
has moved; a name given by hand or from an archive has none.

A row is written last, in one transaction, after everything it refers to is synced; there is no half an image.
"""

from __future__ import annotations

import contextlib
import json
import typing as t

from ..errors import StateError, collecting

if t.TYPE_CHECKING:
    from ..oci.image_config import ImageConfig
    from ..oci.reference import Reference
    from ..state.database import Database, Reader, Transaction


class LayerReference(t.NamedTuple):
    """One layer: `diff_id` of its tar, and the blob it came in (`digest`, `media_type`, `size` in bytes)."""

    diff_id: str
    digest: str
    media_type: str
    size: int


class ImageRecord(t.NamedTuple):
    """`config` is ImageConfig.to_json(); `layers` bottom first; `size` is uncompressed bytes; `created` as
    the image says.

    `parents_layer` is the diff id of the synthetic layer that keeps implied directories right
    (layers/snapshots.py).
    """

    id: str
    manifest_digest: str
    media_type: str
    config: dict[str, t.Any]
    layers: tuple[LayerReference, ...]
    directories: tuple[str, ...]
    parents_layer: str | None
    size: int
    created: str = ""

    @property
    def image_config(self) -> ImageConfig:
        from ..oci.image_config import ImageConfig

        return ImageConfig.from_json(self.config)

    @property
    def mounted_directories(self) -> tuple[str, ...]:
        """All that a container of this image mounts, and thus needs: names below `layers/`."""
        return (*self.directories, self.parents_layer) if self.parents_layer else self.directories

    def to_json(self) -> dict[str, t.Any]:
        return self._asdict()

    @classmethod
    def from_json(cls, values: t.Mapping[str, t.Any]) -> ImageRecord:
        """The inverse of `to_json`; keys of a newer engine are ignored."""
        known = {name: values[name] for name in cls._fields if name in values}
        known["layers"] = tuple(LayerReference(*layer[:4]) for layer in values["layers"])
        known["directories"] = tuple(values["directories"])
        return cls(**known)


class ImageName(t.NamedTuple):
    """A name, the image it leads to, and the digest that the registry gave for it (None: no registry did)."""

    name: str
    image_id: str
    manifest_digest: str | None

    @property
    def repository_name(self) -> str:
        """`docker.io/library/nginx`"""
        if "@" in self.name:
            return self.name.partition("@")[0]
        return self.name.rpartition(":")[0]


# Looking


def find_image(database: Database, wanted: Reference | str) -> ImageRecord | None:
    """The image that a reference names, or that has the id `wanted` (with or without `sha256:`)."""
    return select_image(database.read(), wanted)


def select_image(rows: Reader, wanted: Reference | str) -> ImageRecord | None:
    """As `find_image`, within a transaction."""
    if isinstance(wanted, str):
        image_id = full_id(wanted)
    else:
        names = names_for(rows, wanted)
        image_id = names[0].image_id if names else ""
    return _record(rows.one("SELECT id, record FROM images WHERE id = ?", (image_id,)))


def names_for(rows: Reader, reference: Reference) -> list[ImageName]:
    """The names by which `reference` finds an image.

    A tag is one name. A digest is every name of its repository whose image has that digest, be it of the
    manifest or of the index that led to it: what `nginx:1.2` brought is there for `nginx@sha256:…` too.
    """
    if reference.digest is None:
        found = rows.all(f"{_NAMES} WHERE name = ?", (reference.canonical,))
    else:
        repository = reference.repository_name
        found = rows.all(
            f"{_NAMES} JOIN images ON images.id = image_id"
            " WHERE (image_names.manifest_digest = ? OR images.manifest_digest = ?)"
            " AND substr(name, 1, ?) IN (?, ?) ORDER BY name",
            (reference.digest, reference.digest, len(repository) + 1, f"{repository}:", f"{repository}@"),
        )
    return [ImageName(*row) for row in found]


def names_of(rows: Reader, image_id: str) -> list[ImageName]:
    """All names of one image, sorted."""
    found = rows.all(f"{_NAMES} WHERE image_id = ? ORDER BY name", (image_id,))
    return [ImageName(*row) for row in found]


def list_images(
    rows: Reader, without: t.Container[str] = (), *, damaged: list[BaseException] | None = None
) -> list[ImageRecord]:
    """Every image (but those with an id in `without`), the newest first; of the same age, the one that came
    last.

    `damaged` takes the errors of records that cannot be read; without it the first of them is raised.
    """
    found = []
    for row in rows.all("SELECT id, record FROM images ORDER BY created DESC, rowid DESC"):
        if row["id"] in without:
            continue
        with contextlib.nullcontext() if damaged is None else collecting(damaged):
            record = _record(row)
            found += [record] if record is not None else []
    return found


def users_of(rows: Reader, image_id: str) -> dict[str, str]:
    """The containers that were made from an image or mount it: id → name, sorted by name."""
    found = rows.all(
        "SELECT id, name FROM containers WHERE image_id = ?"
        " OR id IN (SELECT container_id FROM image_uses WHERE image_id = ?) ORDER BY name",
        (image_id, image_id),
    )
    return {row[0]: row[1] for row in found}


def find_name(rows: Reader, name: str) -> ImageName | None:
    """Where a name in canonical form leads."""
    row = rows.one(f"{_NAMES} WHERE name = ?", (name,))
    return ImageName(*row) if row else None


def full_id(text: str) -> str:
    return text if text.startswith("sha256:") else f"sha256:{text}"


_NAMES = "SELECT name, image_id, image_names.manifest_digest FROM image_names"


def _record(row: t.Sequence[t.Any] | None) -> ImageRecord | None:
    if row is None:
        return None
    image_id, text = row
    try:
        return ImageRecord.from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"the record of image {image_id} in state.db is damaged: {error}",
            "remove the image by its id and pull it again",
        ) from error


# Changing, inside the caller's transaction


def save_image(transaction: Transaction, record: ImageRecord) -> None:
    """Write or replace a record. Everything it refers to must be on disk by now."""
    transaction.execute(
        "INSERT INTO images (id, manifest_digest, record, created) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET manifest_digest = excluded.manifest_digest,"
        " record = excluded.record, created = excluded.created",
        (record.id, record.manifest_digest, json.dumps(record.to_json()), record.created),
    )


def save_name(transaction: Transaction, name: ImageName) -> None:
    """Make a name lead to an image, wherever it led before."""
    transaction.execute(
        "INSERT INTO image_names (name, image_id, manifest_digest) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id,"
        " manifest_digest = excluded.manifest_digest",
        tuple(name),
    )


def use_image(transaction: Transaction, image_id: str, container_id: str) -> None:
    """Remember that a container mounts the image; forgotten when the container's row goes."""
    transaction.execute(
        "INSERT OR IGNORE INTO image_uses (image_id, container_id) VALUES (?, ?)", (image_id, container_id)
    )


def delete_name(transaction: Transaction, name: str) -> None:
    transaction.execute("DELETE FROM image_names WHERE name = ?", (name,))


def delete_image(transaction: Transaction, image_id: str) -> None:
    """Forget an image and all its names. Its blobs and layers are garbage from now on."""
    transaction.execute("DELETE FROM image_names WHERE image_id = ?", (image_id,))
    transaction.execute("DELETE FROM images WHERE id = ?", (image_id,))
