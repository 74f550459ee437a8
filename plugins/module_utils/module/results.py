# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of a task that has a plan: the same keys in every module, the same in check mode."""

from __future__ import annotations

import typing as t

from ..runtime.reconcile.differences import sides
from ..runtime.reconcile.steps import Plan


def result_of(
    plan: Plan,
    *,
    before: t.Mapping[str, t.Any] | None = None,
    after: t.Mapping[str, t.Any] | None = None,
    **facts: t.Any,
) -> dict[str, t.Any]:
    """`changed`, `actions`, `differences`, `diff` and the `facts` of the module.

    `before` and `after` are what the diff shows besides the differences (`exists`, `running`, an image id…).
    """
    left, right = sides(plan.differences)
    return {
        "changed": plan.changed,
        "actions": plan.actions,
        "differences": [difference.to_json() for difference in plan.differences],
        "diff": {"before": {**left, **(before or {})}, "after": {**right, **(after or {})}},
        **facts,
    }
