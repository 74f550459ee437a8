# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is mounted into a container, from all that may say so. For each target one wins:

volumes, mounts, tmpfs    what was asked for; they cannot name the same target (contradictions.py)
volumes_from              what another container had when this one was made
VOLUME of the image       an anonymous volume
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from ..errors import IntegrityError
from .config import ContainerConfig

if t.TYPE_CHECKING:
    from .records import ContainerRecord

_MOST_VOLUMES = 100  # every VOLUME of an image is a directory on the host


class VolumeMount(t.NamedTuple):
    """`source` is a path of the host for `bind`, a name for `volume` and `image`.

    `subpath`: only this part of it. `create`: a missing path of the host is made. `labels` and
    `driver_options` are for a volume that is yet to be made, the latter None if any will do. `image_id` is
    empty while the image is yet to be pulled.
    """

    type: str
    source: str
    target: str
    read_only: bool = False
    options: tuple[str, ...] = ()
    anonymous: bool = False
    subpath: str = ""
    create: bool = True
    labels: t.Mapping[str, str] | None = None
    driver_options: t.Mapping[str, str] | None = None
    image_id: str = ""

    def to_json(self) -> dict[str, t.Any]:
        defaults = self._field_defaults
        return {
            name: value
            for name, value in self._asdict().items()
            if name not in defaults or value != defaults[name]
        }

    @classmethod
    def from_json(cls, document: t.Mapping[str, t.Any]) -> VolumeMount:
        """Unknown keys are of a newer engine and say nothing here."""
        known = {name: document[name] for name in cls._fields if name in document}
        return cls(**{**known, "options": tuple(known.get("options", ()))})


def asked_mounts(config: ContainerConfig) -> list[dict[str, t.Any]]:
    """`volumes` and `mounts` in normal form (storage_values.py)."""
    return [*(config.volumes or ()), *(config.mounts or ())]


def sources_to_make(record: ContainerRecord) -> list[str]:
    """Paths of the host that are to be mounted, are not there, and are made as directories by the start."""
    paths = {
        mount["source"]
        for mount in asked_mounts(record.config)
        if mount["type"] == "bind" and mount.get("create", True)
    }
    paths.update(mount.source for mount in record.inherited if mount.type == "bind" and mount.create)
    return sorted(path for path in paths if not os.path.lexists(path))


def tmpfs_of(config: ContainerConfig) -> dict[str, str]:
    """Options by target, of `tmpfs` and of mounts of that type."""
    mounts = {
        mount["target"]: ",".join(mount["options"])
        for mount in config.mounts or ()
        if mount["type"] == "tmpfs"
    }
    return {**(config.tmpfs or {}), **mounts}


def effective_volumes(
    config: ContainerConfig,
    declared: t.Iterable[str],
    owner: str,
    inherited: t.Iterable[VolumeMount],
    mounted_images: t.Mapping[str, str],
) -> list[VolumeMount]:
    """Sorted by target. `declared` are the paths that the image calls volumes; `owner` is the container whose
    id the names of anonymous volumes are made of.
    """
    declared = sorted(set(declared))
    if len(declared) > _MOST_VOLUMES:
        raise IntegrityError(f"image: it declares {len(declared)} volumes", "use an image that is made well")
    asked = [
        _asked(mount, owner, mounted_images) for mount in asked_mounts(config) if mount["type"] != "tmpfs"
    ]
    taken = {mount.target for mount in asked}.union(tmpfs_of(config))
    brought = {mount.target: mount for mount in inherited if mount.target not in taken}
    taken.update(brought)
    implied = [_anonymous(target, owner) for target in declared if target not in taken]
    return sorted([*asked, *brought.values(), *implied], key=lambda mount: mount.target)


def _asked(mount: dict[str, t.Any], owner: str, mounted_images: t.Mapping[str, str]) -> VolumeMount:
    asked = VolumeMount.from_json(mount)
    if asked.type == "volume" and not asked.source:
        return asked._replace(source=_anonymous(asked.target, owner).source, anonymous=True)
    if asked.type == "image":
        return asked._replace(image_id=mounted_images.get(asked.source, ""))
    return asked


def _anonymous(target: str, owner: str) -> VolumeMount:
    """The name follows from container and target: the same at every start."""
    name = hashlib.sha256(f"{owner}:{target}".encode()).hexdigest()
    return VolumeMount("volume", name, target, anonymous=True)
