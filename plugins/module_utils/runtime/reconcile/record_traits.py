# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the record of a container tells a plan: what was cut off, and what goes along when it is removed."""

from __future__ import annotations

import dataclasses
import typing as t

from ..errors import CoracleError

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from .container_sight import Outlook


def interrupted_change(found: Outlook) -> str:
    """What a killed task was about to change of a container that runs; the next start does it of others."""
    if not found.status.alive:
        return ""
    state = found.record.state
    begun = {"limits": state.resizing, "networks": state.rewiring}
    return " and ".join(what for what, before in begun.items() if before is not None)


def finished(record: ContainerRecord) -> ContainerRecord:
    """On its networks and within its limits, whatever happened before."""
    return dataclasses.replace(record, state=dataclasses.replace(record.state, rewiring=None, resizing=None))


def anonymous_targets(record: ContainerRecord) -> list[str]:
    """Where the container has volumes of its own; none if that cannot be told (its image was never here)."""
    from ..container.effective import effective_of

    try:
        volumes = effective_of(record).volumes
    except CoracleError:
        return []
    return [volume.target for volume in volumes if volume.anonymous and volume not in record.inherited]
