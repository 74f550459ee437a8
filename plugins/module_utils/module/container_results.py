# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of a `container` task: what the plan did, and the container as it is now or, in check mode, as
it would be.
"""

from __future__ import annotations

import typing as t

from ..runtime.container.records import find_container
from ..runtime.container.status import observe
from ..runtime.engine import Engine
from ..runtime.operations.inspect_container import inspect_container
from ..runtime.reconcile.container import Planned
from ..runtime.reconcile.container_sight import Outlook
from .results import result_of


def container_result(
    engine: Engine, planned: Planned, facts: dict[str, t.Any], check_mode: bool
) -> dict[str, t.Any]:
    """`facts` are those of the steps; a one-shot container that failed makes the task fail."""
    result = result_of(planned.plan, before=_summary(planned.before), after=_summary(planned.after), **facts)
    warnings = [*planned.warnings, *facts.get("warnings", ())]
    result["warnings"] = [*warnings, *_host_firewall(engine, planned.after)]
    if "container" not in facts and planned.after is not None:
        result["container"] = _as_seen(engine, planned.after, check_mode or not planned.plan.changed)
    if facts.get("status"):
        result["failed"] = True
        result["msg"] = f"container {facts['container']['Name'][1:]} ended with status {facts['status']}"
    return result


def _host_firewall(engine: Engine, outlook: Outlook | None) -> list[str]:
    """Of one that runs: what keeps it from being reached."""
    if outlook is None or outlook.status.status not in ("running", "paused"):
        return []
    from ..runtime.network.records import endpoints_of
    from ..runtime.operations.look_at_host_firewall import host_firewall_warnings, loopback_warnings

    record = find_container(engine.records, outlook.record.id or outlook.record.name)
    places = endpoints_of(engine.records.read(), record.id) if record is not None else []
    if record is None or not places:
        return []
    stopped = host_firewall_warnings(engine, [place.network for place in places])
    return [*stopped, *loopback_warnings(engine, record.id)]


def _as_seen(engine: Engine, expected: Outlook, predicted: bool) -> dict[str, t.Any] | None:
    """What was planned is what is there, if nothing was to be done; else look again."""
    if predicted:
        return inspect_container(engine, expected.record, expected.status)
    record = find_container(engine.records, expected.record.id or expected.record.name)
    return inspect_container(engine, record, observe(engine, record)) if record else None


def _summary(outlook: Outlook | None) -> dict[str, t.Any]:
    """What the diff shows of a container besides its options."""
    if outlook is None:
        return {"exists": False}
    status = outlook.status.status
    return {
        "exists": True,
        "running": status in ("running", "paused", "restarting"),
        "paused": status == "paused",
    }
