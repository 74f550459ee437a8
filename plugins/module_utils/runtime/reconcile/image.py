# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be done so that an image is here, under all its names, or is gone. Looks, never changes."""

from __future__ import annotations

import typing as t

from ..content.images import ImageRecord, find_name, names_for, select_image
from ..errors import InvalidInput, NotFound, StateError
from ..oci.reference import Reference
from .differences import LIVE, Difference, removed
from .image_steps import ImportRootfs, LoadImage, PullImage, RemoveImage, RepairImage, TagImage
from .steps import Plan, Step

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..oci.image_config import ImageConfig
    from ..operations.resolve_image import ResolvedImage
    from ..registry.options import RegistryOptions


class ImageRequest(t.NamedTuple):
    """What a task asks for. `name`: a reference, an image id (a text), or None where a file brings the image.

    `config` is what an image of a root file system says about its process; None for the other sources.
    """

    name: Reference | str | None
    state: str = "present"
    source: str = "registry"
    path: str = ""
    archive_name: str | None = None
    pull: str = "missing"
    platform: str | None = None
    tags: tuple[Reference, ...] = ()
    force: bool = False
    config: ImageConfig | None = None
    registry: RegistryOptions | None = None

    @property
    def names(self) -> tuple[Reference, ...]:
        """All tags that shall lead to the image."""
        own = (self.name,) if isinstance(self.name, Reference) else ()
        return tuple(dict.fromkeys((*own, *self.tags)))


class PlannedImage(t.NamedTuple):
    """`before`: the image that is here; `wanted`: by what it is found afterwards (None: it is to be gone).

    `freed`: bytes that the plan frees.
    """

    plan: Plan
    before: ImageRecord | None
    wanted: Reference | str | None
    warnings: tuple[str, ...] = ()
    freed: int = 0


def plan_image(engine: Engine, request: ImageRequest) -> PlannedImage:
    """Raises InvalidInput for contradictions, NotFound, Conflict, and what registry or archive say."""
    if request.state == "absent":
        return _plan_removal(engine, request)
    _check(request)
    if request.source == "registry":
        return _plan_pull(engine, request)
    return _plan_file(engine, request)


def _check(request: ImageRequest) -> None:
    from_file = request.source != "registry"
    if request.name is None and not from_file:
        raise InvalidInput("name is missing", "only an image from a file can do without a name")
    if from_file and not request.path:
        raise InvalidInput(f"source: {request.source} needs path")
    if request.path and not from_file:
        raise InvalidInput(
            "path is given, but the source is a registry", "set source: archive or source: rootfs"
        )
    if request.archive_name and request.source != "archive":
        raise InvalidInput("archive_name is given, but the source is not an archive")
    if from_file and isinstance(request.name, str):
        raise InvalidInput("an image from a file cannot be given an id", "its id comes from what is in it")
    for name in request.tags if not from_file else request.names:
        if name.digest:
            raise InvalidInput(f"{name} cannot be given to an image", "give a tag: a digest is not chosen")


# From a registry


def _plan_pull(engine: Engine, request: ImageRequest) -> PlannedImage:
    from ..operations.resolve_image import resolve_image

    wanted = t.cast("Reference | str", request.name)
    text = wanted if isinstance(wanted, str) else wanted.canonical
    image = resolve_image(engine, text, request.pull, request.registry, request.platform)
    warnings = (image.warning,) if image.warning else ()
    if image.must_pull and image.reference is not None:
        pull = PullImage(image.reference, request.platform, request.registry, image.reason)
        tags = [TagImage(image.reference, name, "it is to follow") for name in request.tags]
        differences = [_moved(engine, image, image.reference)]
        return PlannedImage(Plan([pull, *tags], differences), image.record, wanted, warnings)
    if image.record is None:
        raise NotFound(
            f"image {wanted} is not on this host, and pull is never", "pull it with pull: missing, or load it"
        )
    thorough = request.pull in ("always", "newer")
    steps = _repairs(engine, image.record, str(wanted), request.registry, thorough)
    steps += _tags(engine, image.record.id, request.tags)
    return PlannedImage(Plan(steps, _tag_differences(steps)), image.record, wanted, warnings)


def _repairs(
    engine: Engine, record: ImageRecord, name: str, registry: RegistryOptions | None, thorough: bool
) -> list[Step]:
    from ..operations.repair_image import damaged_layers

    damaged = damaged_layers(engine, record, thorough)
    return [RepairImage(name, record, registry, _damage(damaged))] if damaged else []


def _damage(names: t.Sequence[str]) -> str:
    if len(names) == 1:
        return "one of its layers is damaged"
    return f"{len(names)} of its layers are damaged"


def _moved(engine: Engine, image: ResolvedImage, reference: Reference) -> Difference:
    """The digest that the name stood for when it was pulled, and the one it stands for now."""
    names = names_for(engine.records.read(), reference)
    before = names[0].manifest_digest if names else None
    return Difference("digest", before, image.digest, image.reason, LIVE)


# From a file


def _plan_file(engine: Engine, request: ImageRequest) -> PlannedImage:
    from ..operations.repair_image import damaged_layers

    image_id, load = _read_file(engine, request)
    record = select_image(engine.records.read(), image_id)
    damaged = damaged_layers(engine, record, thorough=True) if record else []
    if record is None or damaged:
        reason = _damage(damaged) if damaged else "it is not here"
        return PlannedImage(
            Plan([load(reason)], [Difference("id", record.id if record else None, image_id, reason, LIVE)]),
            record,
            image_id,
        )
    steps = _tags(engine, image_id, request.names)
    return PlannedImage(Plan(steps, _tag_differences(steps)), record, image_id)


def _read_file(engine: Engine, request: ImageRequest) -> tuple[str, t.Callable[[str], Step]]:
    """The id of the image that the file makes, and the step that brings it, given the reason."""
    if request.source == "rootfs":
        from ..oci.image_config import ImageConfig
        from ..operations.import_rootfs import read_rootfs

        rootfs = read_rootfs(engine, request.path, request.config or ImageConfig())
        return rootfs.parts.id, lambda reason: ImportRootfs(rootfs, request.names, reason)
    from ..oci.platforms import host_platform, parse_platform
    from ..operations.list_archived_images import choose_image, list_archived_images
    from ..operations.open_archive import open_archive

    platform = parse_platform(request.platform) if request.platform else host_platform()
    archived = list_archived_images(open_archive(request.path), platform)
    name = request.name.canonical if isinstance(request.name, Reference) else None
    image = choose_image(archived, request.archive_name or name, request.path)
    return image.parts.id, lambda reason: LoadImage(image, request.names, reason)


# Names


def _tags(engine: Engine, image_id: str, names: t.Iterable[Reference]) -> list[Step]:
    """A step for each name that does not lead to the image."""
    steps: list[Step] = []
    for name in names:
        found = find_name(engine.records.read(), name.canonical)
        if found is None:
            steps.append(TagImage(image_id, name, "there is no such name"))
        elif found.image_id != image_id:
            steps.append(TagImage(image_id, name, f"it leads to {found.image_id[:19]}"))
    return steps


def _tag_differences(steps: t.Iterable[Step]) -> list[Difference]:
    return [
        Difference(f"name {step.name.familiar}", None, step.source, step.reason, LIVE)
        for step in steps
        if isinstance(step, TagImage)
    ]


# Gone


def _plan_removal(engine: Engine, request: ImageRequest) -> PlannedImage:
    from ..operations.collect_garbage import measure_garbage
    from ..operations.remove_image import plan_removal

    if request.name is None:
        raise InvalidInput("name is missing", "say which image is to be absent")
    rows = engine.records.read()
    removal = plan_removal(rows, request.name, request.force)
    if not removal.names and removal.image_id is None:
        return PlannedImage(Plan(), None, None)
    try:
        before = select_image(rows, request.name)
    except StateError:
        before = None  # what cannot be read can still be removed
    whole = removal.image_id is not None
    step = RemoveImage(request.name, removal.names, whole, request.force)
    difference = removed(step.describe())
    freed = measure_garbage(engine, (removal.image_id,)) if removal.image_id else 0
    return PlannedImage(Plan([step], [difference]), before, None, freed=freed)
