# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be done so that a volume is there, with its labels and options, or is gone.

A task is the whole description: labels that it does not name go. Data are only lost where that was asked for,
by `absent` or `recreate`, and never while a container needs them.
"""

from __future__ import annotations

import typing as t

from ..errors import Conflict
from ..volume.driver_options import without_secrets
from ..volume.records import VolumeRecord, containers_using, find_volume
from .container_fields import MAP, Field
from .differences import LIVE, RECREATE, Difference, created, describe_all, removed
from .field_differences import difference_of
from .steps import Plan
from .volume_steps import CreateVolume, RecreateVolume, RemoveVolume, UpdateVolume

if t.TYPE_CHECKING:
    from ..engine import Engine

NEVER, ALWAYS, OPTIONS_CHANGED = "never", "always", "options-changed"

_LABELS = Field("labels", "", MAP, default={}, change=LIVE)
_DRIVER_OPTIONS = Field("driver_options", "", MAP, default={}, change=RECREATE)


class VolumeRequest(t.NamedTuple):
    """What a task asks for, in normal form."""

    name: str
    state: str
    labels: dict[str, str]
    driver_options: dict[str, str]
    recreate: str = NEVER


class PlannedVolume(t.NamedTuple):
    """The volume before and afterwards; a record that is yet to be made has no time of creation."""

    plan: Plan
    before: VolumeRecord | None
    after: VolumeRecord | None
    warnings: tuple[str, ...] = ()


def plan_volume(engine: Engine, request: VolumeRequest) -> PlannedVolume:
    """Conflict, with the names, where containers need a volume that is to go or to be made anew."""
    before = find_volume(engine.records.read(), request.name)
    if request.state == "absent":
        return _plan_removal(engine, before)
    after = VolumeRecord(request.name, request.labels, False, "", request.driver_options, False)
    if before is None:
        step = CreateVolume(request.name, request.labels, request.driver_options)
        return PlannedVolume(Plan([step], [created(step.describe())]), None, after)
    found = _differences(before, request)
    if _is_to_be_made_anew(request, found):
        _check_unused(engine, "recreate", request.name)
        reason = describe_all(found) or "recreate is always"
        again = RecreateVolume(request.name, request.labels, request.driver_options, reason)
        return PlannedVolume(Plan([again], found), before, after)
    return _plan_update(before, request, found)


def _plan_removal(engine: Engine, before: VolumeRecord | None) -> PlannedVolume:
    if before is None:
        return PlannedVolume(Plan(), None, None)
    _check_unused(engine, "remove", before.name)
    step = RemoveVolume(before.name)
    return PlannedVolume(Plan([step], [removed(step.describe())]), before, None)


def _plan_update(before: VolumeRecord, request: VolumeRequest, found: list[Difference]) -> PlannedVolume:
    """Labels change in place; other options need what was not asked for."""
    live = [difference for difference in found if difference.how == LIVE]
    warnings = tuple(
        f"volume {request.name} stays as it is: {difference.describe()} (recreate it with options-changed)"
        for difference in found
        if difference.how == RECREATE
    )
    steps = [UpdateVolume(request.name, request.labels, describe_all(live))] if live else []
    return PlannedVolume(Plan(steps, live), before, before._replace(labels=request.labels), warnings)


def _differences(before: VolumeRecord, request: VolumeRequest) -> list[Difference]:
    found = []
    if before.labels != request.labels:
        found.append(difference_of(_LABELS, before.labels, request.labels))
    if before.driver_options != request.driver_options:
        then, now = without_secrets(before.driver_options), without_secrets(request.driver_options)
        if then == now:
            found.append(Difference("driver_options", then, now, "driver_options: a password is another one"))
        else:
            found.append(difference_of(_DRIVER_OPTIONS, then, now))
    return found


def _is_to_be_made_anew(request: VolumeRequest, found: list[Difference]) -> bool:
    options_changed = any(difference.how == RECREATE for difference in found)
    return request.recreate == ALWAYS or (request.recreate == OPTIONS_CHANGED and options_changed)


def _check_unused(engine: Engine, verb: str, name: str) -> None:
    users = containers_using(engine.records.read(), name)
    if users:
        raise Conflict(
            f"{verb} volume {name}: it is used by {', '.join(users)}",
            "remove the containers first",
            containers=users,
        )
