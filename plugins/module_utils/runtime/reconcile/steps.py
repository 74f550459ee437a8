# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A plan is a list of steps. Planning looks and never changes anything; check mode executes nothing.

A step is a small value with two methods: `describe()` says in one sentence what would be done and why (it
becomes part of the task's result), `execute()` does it. A step imports its verb when it executes, so that a
run that changes nothing pays only for looking. Steps name what they act on (a container, an image
reference) and look it up when they execute: the step before them may have made it.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .differences import Difference


class Step:
    """One change. Subclasses are small values; what `execute` returns is merged into the task's result."""

    changes: t.ClassVar[bool] = True
    """Is something different afterwards? To wait for something is a step, too, and changes nothing."""

    def describe(self) -> str:
        """What is done and why: `recreate container web: memory is 64m, should be 128m`. Never a secret."""
        raise NotImplementedError

    def execute(self, engine: Engine) -> dict[str, t.Any] | None:
        raise NotImplementedError


class Plan(t.NamedTuple):
    """What to do (`steps`, in order) and what made it necessary (`differences`)."""

    steps: t.Sequence[Step] = ()
    differences: t.Sequence[Difference] = ()

    @property
    def changed(self) -> bool:
        return any(step.changes for step in self.steps)

    @property
    def actions(self) -> list[str]:
        return [step.describe() for step in self.steps if step.changes]

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        """Run the steps in order and return their facts, merged (`warnings` one after the other, with those
        of the engine).

        The first error ends it; what is done stays.
        """
        facts: dict[str, t.Any] = {}
        warnings: list[str] = []
        for step in self.steps:
            facts.update(step.execute(engine) or {})
            warnings += facts.pop("warnings", ())
            warnings += [text for text in engine.take_warnings() if text not in warnings]
        return {**facts, "warnings": warnings}
