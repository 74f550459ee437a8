# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Bring a container into a state, by the plan that a task would make: what an interrupted task has left is
finished, a damaged image made whole, directories that are mounted are made.
"""

from __future__ import annotations

import typing as t

from ..container.config import ContainerConfig
from ..reconcile.container import plan_container
from ..reconcile.container_request import Request
from ..reconcile.container_sight import Sight
from .lookup import find_container

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from .context import Context


def bring(context: Context, name: str, **wanted: t.Any) -> None:
    """The container that a person calls `name`; between two steps it is not pruned."""
    from ..operations.lease import leased

    record = find_container(context, name)
    with leased(context.engine, containers=[record.name]):
        carry_out(context, record, **wanted)


def carry_out(
    context: Context,
    record: ContainerRecord,
    *,
    stop_timeout: int | None = None,
    signal: str | None = None,
    **wanted: t.Any,
) -> None:
    """`wanted`: fields of Request. `stop_timeout` and `signal` instead of the container's own."""
    plan = _plan(context, record, stop_timeout, signal, wanted)
    for warning in plan.execute(context.engine)["warnings"]:
        context.warn(warning)


def prepare_start(context: Context, record: ContainerRecord) -> None:
    """All of that but the start itself, for whoever wants to see the program from its first byte."""
    from ..reconcile.container_steps import StartContainer

    plan = _plan(context, record, None, None, {"state": "started"})
    steps = [step for step in plan.steps if not isinstance(step, StartContainer)]
    plan._replace(steps=steps).execute(context.engine)


def _plan(
    context: Context,
    record: ContainerRecord,
    stop_timeout: int | None,
    signal: str | None,
    wanted: dict[str, t.Any],
) -> t.Any:
    request = Request(record.name, force_kill=bool(signal), kill_signal=signal, **wanted)
    asked = ContainerConfig(stop_timeout=stop_timeout)
    return plan_container(Sight(context.engine), asked, request).plan
