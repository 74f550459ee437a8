# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Previous versions of a container, kept stopped: how many of them stay, and the way back to the newest.

They go by names like `web.previous-1f2e3d4c5b6a`. All versions have the same ancestor, so they are found also
when the container has another name by now.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..container.records import ContainerRecord, previous_name
from ..errors import Conflict, InvalidInput, NotFound, StateError
from ..oci.reference import familiar_name
from .container_fields import differences
from .differences import RECREATE, Difference

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from .container_request import Request
    from .container_sight import Outlook
    from .container_steps import RemoveContainer


def check_previous(asked: ContainerConfig, request: Request) -> None:
    """Options about versions that contradict others."""
    number = request.keep_previous
    more = request.given.difference(("stop_timeout",)) or asked.image or request.recreate or request.restart
    needs = (
        (number is not None and number < 0, "keep_previous", "0 or more"),
        (bool(number and asked.auto_remove), "keep_previous", "auto_remove: false"),
        (request.rollback and request.state != "started", "rollback: true", "state: started"),
        (request.rollback and not request.detach, "rollback: true", "detach: true"),
        (
            request.rollback and bool(more),
            "rollback: true",
            "a task that says nothing else about the container, not even image",
        ),
    )
    for wrong, option, needed in needs:
        if wrong and request.state != "absent":
            raise InvalidInput(f"container {request.name}: {option} needs {needed}")


def check_usable(found: Outlook) -> None:
    """A container whose record is damaged, or a version that is kept (nothing of the host is its own any
    more), can only be removed.
    """
    if found.status.status == "dead":
        raise StateError(found.status.error)
    if found.record.state.kept_since:
        raise Conflict(
            f"container {found.record.name} is a previous version, kept for a rollback",
            "go back to it with rollback: true for the container that has its place",
        )


def newest(current: ContainerRecord, kept: t.Sequence[ContainerRecord]) -> ContainerRecord:
    """The version to go back to. NotFound if there is none."""
    if not kept:
        raise NotFound(
            f"container {current.name}: no previous version of it is kept",
            "have versions kept with keep_previous where it is declared",
        )
    return kept[0]


def way_back(current: ContainerRecord, version: ContainerRecord) -> list[Difference]:
    """What the version differs in from the one that has its place now."""
    images = [(record.image_name, record.image_id) for record in (current, version)]
    names = [familiar_name(name) for name, _image_id in images]
    found = []
    if images[0] != images[1]:
        before, after = names if names[0] != names[1] else (current.image_id[:19], version.image_id[:19])
        found = [Difference("image", before, after, f"image is {before}, was {after}", RECREATE)]
    return [*found, *differences(current.config, version.config)]


def surplus(
    found: Outlook, request: Request, kept: t.Sequence[ContainerRecord], replaced: ContainerRecord | None
) -> list[RemoveContainer]:
    """The removal of versions beyond `keep_previous`. `replaced`: the one that has just become one."""
    from .container_steps import RemoveContainer

    number = request.keep_previous
    if number is None:
        return []
    names = [record.name for record in kept[request.rollback :]]  # the newest is in place again
    if replaced is not None and number:
        names.insert(0, previous_name(found.record.name, replaced.id))
    return [RemoveContainer(name, f"keep_previous is {number}", True) for name in names[number:]]


def all_versions(name: str, own: RemoveContainer, kept: t.Sequence[ContainerRecord]) -> list[RemoveContainer]:
    """The removal of all versions of a container that goes, in the same way, and before it: without it
    nobody would find them.
    """
    reason = f"it is a version of {name}"
    return [dataclasses.replace(own, name=record.name, reason=reason, targets=()) for record in kept]
