# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a task waits for when its steps are done. It changes nothing, and each is a step of the plan."""

from __future__ import annotations

import typing as t

from ..errors import InvalidInput

if t.TYPE_CHECKING:
    from .container_request import Request
    from .container_sight import Outlook, Sight
    from .steps import Step


def waits(sight: Sight, found: Outlook, request: Request, changed: bool, replaced: bool) -> list[Step]:
    """A container that has taken the place of another one has shown by then that it is ready."""
    steps = _health(sight, found, request, changed) if request.healthy else []
    if request.ready is None or replaced or not changed or not found.running:
        return steps
    from .container_steps import AwaitReady

    return [*steps, AwaitReady(found.record.name, request.ready)]


def _health(sight: Sight, found: Outlook, request: Request, changed: bool) -> list[Step]:
    """A container that is healthy already is not waited for. Of an image that is yet to be pulled nobody
    knows whether it has a health check.
    """
    from ..container.health import check_of
    from .container_steps import AwaitContainer

    name = found.record.name
    if found.record.image_id and check_of(found.record) is None:
        raise InvalidInput(
            f"container {name}: it has no health check, so nothing can say that it is healthy",
            "give healthcheck, or choose state: started",
        )
    if not changed and sight.is_healthy(found.record):
        return []
    return [AwaitContainer(name, "healthy", request.healthy_wait_timeout)]
