# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of a `containers` task: one entry for each container, and one summary."""

from __future__ import annotations

import typing as t

from ..runtime.errors import RuntimeFailure
from ..runtime.reconcile.differences import sides
from ..runtime.reconcile.project import ProjectPlan
from ..runtime.reconcile.project_run import Outcome, Report

if t.TYPE_CHECKING:
    from ..runtime.reconcile.network import PlannedNetwork


def project_result(plan: ProjectPlan, report: Report | None) -> dict[str, t.Any]:
    """`report` is None if nothing was to be done, and in check mode. Raises RuntimeFailure, with the whole
    result as its facts, when a container failed.
    """
    planned = {**plan.containers, **plan.purged}
    by_name = {outcome.name: outcome for outcome in report.outcomes} if report else {}
    results = [_entry(name, one, by_name.get(name, Outcome(name))) for name, one in planned.items()]
    warnings = list(plan.warnings)
    for outcome in by_name.values():
        warnings += [text for text in outcome.facts.get("warnings", ()) if text not in warnings]
    result = {"changed": plan.changed, "actions": plan.actions, "results": results}
    told = _failures(results, report)
    if report and told:
        actions = _done(plan, results, report)
        result.update(changed=bool(actions), actions=actions)
        raise RuntimeFailure(told, **result, diff=_diff(plan, results, report.removed_networks))
    return {**result, "diff": _diff(plan, results, plan.purged_networks), "warnings": warnings}


def _entry(name: str, planned: t.Any, outcome: Outcome) -> dict[str, t.Any]:
    """One that failed says only what was done and lasts; the differences are still there then."""
    if not outcome.failed:
        actions = planned.plan.actions
        differences = [difference.to_json() for difference in planned.plan.differences]
    else:
        actions, differences = list(outcome.facts.get("actions", ())), []
    entry = {
        "name": name,
        "changed": bool(actions),
        "actions": actions,
        "differences": differences,
        "failed": outcome.failed,
        "skipped": bool(outcome.skipped),
    }
    if outcome.failed:
        entry["msg"] = f"was left alone: {outcome.skipped}" if outcome.skipped else outcome.error
    return entry


def _failures(results: t.Sequence[dict[str, t.Any]], report: Report | None) -> str:
    failed = [entry for entry in results if entry["failed"]]
    told = [f"{entry['name']}: {entry['msg']}" for entry in failed]
    if told:
        return f"{len(failed)} of {len(results)} containers failed: {'; '.join(told)}"
    return "; ".join(report.network_errors) if report else ""


def _done(plan: ProjectPlan, results: t.Sequence[dict[str, t.Any]], report: Report) -> list[str]:
    """Of a plan that was not carried out to its end."""
    return [
        *plan.beginnings,
        *(step.describe() for step in report.pulled),
        *(action for entry in results for action in entry["actions"]),
        *(action for network in report.removed_networks for action in network.plan.actions),
    ]


def _diff(
    plan: ProjectPlan, results: t.Sequence[dict[str, t.Any]], removed: t.Sequence[PlannedNetwork]
) -> dict[str, t.Any]:
    """Of the containers that are as they should be, and of networks and volumes, each under its name."""
    planned = {**plan.containers, **plan.purged}
    parts = [(entry["name"], planned[entry["name"]].plan) for entry in results if not entry["failed"]]
    parts += [(f"network {one.after.name}", one.plan) for one in plan.networks if one.after]
    parts += [(f"network {one.before.name}", one.plan) for one in removed if one.before]
    parts += [(f"volume {one.after.name}", one.plan) for one in plan.volumes if one.after]
    diff: dict[str, t.Any] = {"before": {}, "after": {}}
    for name, plan_of_one in parts:
        if plan_of_one.changed:
            for side, values in zip(diff.values(), sides(plan_of_one.differences)):
                side[name] = values
    return diff
