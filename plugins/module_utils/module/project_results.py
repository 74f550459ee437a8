# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of a `containers` task: one entry for each container, and one summary."""

from __future__ import annotations

import typing as t

from ..runtime.errors import RuntimeFailure
from ..runtime.reconcile.differences import sides
from ..runtime.reconcile.project import ProjectPlan
from ..runtime.reconcile.project_run import Outcome


def project_result(plan: ProjectPlan, outcomes: t.Sequence[Outcome] | None) -> dict[str, t.Any]:
    """`outcomes` is None in check mode. Raises RuntimeFailure, with the whole result as its facts, when a
    container failed.
    """
    planned = {**plan.containers, **plan.purged}
    by_name = {outcome.name: outcome for outcome in outcomes or ()}
    results, diff = [], {"before": {}, "after": {}}
    warnings = list(plan.warnings)
    for name, one in planned.items():
        outcome = by_name.get(name, Outcome(name))
        warnings += [text for text in outcome.facts.get("warnings", ()) if text not in warnings]
        results.append(_entry(name, one, outcome))
        if one.plan.changed:
            for side, values in zip(diff.values(), sides(one.plan.differences)):
                side[name] = values
    result = {
        "changed": plan.changed,
        "actions": plan.actions,
        "results": results,
        "diff": _with_others(plan, diff),
        "warnings": warnings,
    }
    failed = [entry for entry in results if entry["failed"]]
    if failed:
        result.pop("warnings")
        told = "; ".join(f"{entry['name']}: {entry['msg']}" for entry in failed)
        raise RuntimeFailure(f"{len(failed)} of {len(results)} containers failed: {told}", **result)
    return result


def _entry(name: str, planned: t.Any, outcome: Outcome) -> dict[str, t.Any]:
    entry = {
        "name": name,
        "changed": planned.plan.changed and not outcome.skipped,
        "actions": planned.plan.actions,
        "differences": [difference.to_json() for difference in planned.plan.differences],
        "failed": outcome.failed,
        "skipped": bool(outcome.skipped),
    }
    if outcome.failed:
        entry["msg"] = f"was left alone: {outcome.skipped}" if outcome.skipped else outcome.error
    return entry


def _with_others(plan: ProjectPlan, diff: dict[str, t.Any]) -> dict[str, t.Any]:
    """Networks and volumes under their names, too."""
    others = [(f"network {one.after.name}", one.plan) for one in plan.networks if one.after]
    others += [(f"network {one.before.name}", one.plan) for one in plan.purged_networks if one.before]
    others += [(f"volume {one.after.name}", one.plan) for one in plan.volumes if one.after]
    for name, one in others:
        if one.changed:
            for side, values in zip(diff.values(), sides(one.differences)):
                side[name] = values
    return diff
