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

from ..errors import CoracleError, from_os_error

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

    def lasts(self, engine: Engine) -> bool:
        """Is what it has done still there after a later step has failed, which may have taken it back?"""
        return True


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

        The first error ends it; what is done stays, and the facts of the error tell it (`changed`,
        `actions`).
        """
        facts: dict[str, t.Any] = {}
        warnings: list[str] = []
        for number, step in enumerate(self.steps):
            try:
                facts.update(step.execute(engine) or {})
            except CoracleError as error:
                self._tell(engine, error, number)
                raise
            except OSError as error:
                wrapped = from_os_error(error)
                self._tell(engine, wrapped, number)
                raise wrapped from error
            warnings += facts.pop("warnings", ())
            warnings += [text for text in engine.take_warnings() if text not in warnings]
        return {**facts, "warnings": warnings}

    def _tell(self, engine: Engine, error: CoracleError, number: int) -> None:
        """What the steps before the one with this number have done; it may have told something itself."""
        done = [step for step in self.steps[:number] if step.changes and step.lasts(engine)]
        told = error.facts.get("actions", ())
        error.facts["actions"] = [*(step.describe() for step in done), *told]
        error.facts["changed"] = bool(error.facts["actions"])
