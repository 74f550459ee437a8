# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Choose containers as `docker ps --filter` does: every filter that is given has to agree, and of several
values of one filter any; of labels all.
"""

from __future__ import annotations

import re
import typing as t

from ..container.labels import PROJECT, has_label, labels_of
from ..container.records import find_container
from ..errors import NotFound
from .inspect_container import Document
from .look_at_containers import Seen, inspect_all

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


class Filters(t.NamedTuple):
    """`names`: searched for in the name. `images`: names or full ids; a container of an image that was made
    from one of them counts too. `networks`: names or ids. `volumes`: names, or paths in the container.
    `health`: starting, healthy, unhealthy or none. `before`, `since`: containers, by name or full id.
    """

    names: t.Sequence[re.Pattern[str]] = ()
    labels: t.Sequence[str] = ()
    statuses: t.Collection[str] = ()
    images: t.Sequence[str] = ()
    networks: t.Collection[str] = ()
    volumes: t.Collection[str] = ()
    project: str | None = None
    health: t.Collection[str] = ()
    exit_codes: t.Collection[int] = ()
    before: str | None = None
    since: str | None = None


def select(engine: Engine, seen: t.Sequence[Seen], filters: Filters) -> list[Seen]:
    """NotFound when `before` or `since` is no container, InvalidInput for what is no name of an image."""
    if not any(filters):
        return list(seen)
    before, since = (_created(engine, name) for name in (filters.before, filters.since))
    images = [_image_test(engine, name) for name in filters.images]
    chosen = [
        each
        for each in seen
        if _agrees(each, filters)
        and (not before or _age(each.record) < before)
        and (not since or _age(each.record) > since)
        and (not images or any(test(each.record) for test in images))
    ]
    if not (filters.networks or filters.volumes or filters.health):
        return chosen
    documents = inspect_all(engine, chosen)
    return [each for each, document in zip(chosen, documents) if _document_agrees(document, filters)]


def _agrees(seen: Seen, filters: Filters) -> bool:
    """What can be told without much ado."""
    record, status = seen
    labels = labels_of(record)
    return (
        (not filters.names or any(pattern.search(record.name) for pattern in filters.names))
        and (not filters.statuses or status.status in filters.statuses)
        and (not filters.exit_codes or (status.status == "exited" and status.exit_code in filters.exit_codes))
        and all(has_label(labels, wanted) for wanted in filters.labels)
        and (filters.project is None or labels.get(PROJECT) == filters.project)
    )


def _document_agrees(document: Document, filters: Filters) -> bool:
    networks = document["NetworkSettings"]["Networks"]
    on = {*networks, *(place["NetworkID"] for place in networks.values())}
    volumes = {text for mount in document["Mounts"] for text in (mount.get("Name"), mount["Destination"])}
    return (
        (not filters.networks or not on.isdisjoint(filters.networks))
        and (not filters.volumes or not volumes.isdisjoint(filters.volumes))
        and (not filters.health or health_of(document) in filters.health)
    )


def health_of(document: Document) -> str:
    """`none` without a health check."""
    return str((document["State"].get("Health") or {}).get("Status") or "none")


def _created(engine: Engine, name: str | None) -> tuple[str, str] | None:
    if name is None:
        return None
    record = find_container(engine.records, name)
    if record is None:
        raise NotFound(f"there is no container {name}")
    return _age(record)


def _age(record: ContainerRecord) -> tuple[str, str]:
    """The younger the larger."""
    return record.created, record.id


def _image_test(engine: Engine, name: str) -> t.Callable[[ContainerRecord], bool]:
    """By id, by the name that was asked for, and by the layers that an image has from another."""
    from ..content.images import find_image
    from ..oci.reference import is_image_id, parse_reference

    wanted = name if is_image_id(name) else parse_reference(name)
    image = find_image(engine.records, wanted)
    image_id = image.id if image else None
    layers = image.image_config.diff_ids if image else []
    canonical = wanted if isinstance(wanted, str) else wanted.canonical

    def agrees(record: ContainerRecord) -> bool:
        descends = bool(layers) and record.image.diff_ids[: len(layers)] == layers
        return record.image_id in (image_id, canonical) or record.image_name == canonical or descends

    return agrees
