# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Differences in what a container is made of: what is called the same, and is something else by now, and the
other way round. They are no rows of the option table.
"""

from __future__ import annotations

import typing as t

from ..oci.reference import familiar_name
from .differences import LIVE, RECREATE, Difference

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.records import ContainerRecord
    from ..container.storage import VolumeMount
    from ..operations.resolve_image import ResolvedImage
    from .container_request import Request


def id_of(image: ResolvedImage) -> str:
    """Empty for an image that is yet to be pulled."""
    return "" if image.must_pull or image.record is None else image.record.id


def image_differences(
    record: ContainerRecord, image: ResolvedImage, name: str, request: Request
) -> list[Difference]:
    """Images are the same when their ids are. A new name for the same image is only written down, unless the
    task wants it otherwise.
    """
    new_id = id_of(image)
    if (new_id == record.image_id and name == record.image_name) or _ignores_images(request.comparisons):
        return []
    then, now = familiar_name(record.image_name), familiar_name(name)
    before, after = f"{then} ({record.image_id})", f"{now} ({new_id or 'to be pulled'})"
    if new_id == record.image_id:
        how = RECREATE if request.renamed_image_counts else LIVE
        return [Difference("image", before, after, f"image is called {now} now", how)]
    changed = f"image {now} has changed" if now == then else f"image is {then}, should be {now}"
    return [Difference("image", before, after, changed)]


def _ignores_images(comparisons: t.Mapping[str, str]) -> bool:
    if not comparisons:
        return False
    from .comparisons import IGNORE, IMAGE, word_for

    return word_for(IMAGE, comparisons) == IGNORE


def moved_sources(
    record: ContainerRecord,
    asked: ContainerConfig,
    mounted_images: t.Mapping[str, str],
    inherited: t.Sequence[VolumeMount],
) -> list[Difference]:
    """Images that it mounts, and volumes of others that it shares."""
    found = []
    for name, image_id in mounted_images.items():
        before = record.mounted_images.get(name, image_id)
        if before != image_id:
            shown = familiar_name(name)
            reason = f"mounts: image {shown} has changed"
            found.append(Difference("mounts", f"{shown} ({before})", f"{shown} ({image_id})", reason))
    if record.config.volumes_from == asked.volumes_from and record.inherited != inherited:
        before_now = [[mount.target for mount in side] for side in (record.inherited, inherited)]
        names = ", ".join(source["container"] for source in asked.volumes_from or ())
        reason = f"volumes_from: {names} has other volumes now"
        found.append(Difference("volumes_from", before_now[0], before_now[1], reason))
    return found
