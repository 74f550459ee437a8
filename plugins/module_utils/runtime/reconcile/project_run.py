# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Carry out the plan for many containers: several at a time, each after what it depends on.

Images come first and by themselves; a container begins as soon as its images are there and what it depends on
has begun. A failure stops those that depend on it, and nobody else. What the project owns and no longer
declares goes when everything else went well; a container whose port of the host a declared one is going to
have goes as soon as that one could begin, and not before.
"""

from __future__ import annotations

import functools
import time
import typing as t

from ..container.attachments import has_interfaces, network_mode
from ..engine import Engine
from ..errors import CoracleError
from ..operations.crew import Crew
from .project import COMPLETED, HEALTHY

if t.TYPE_CHECKING:
    from .container import Planned
    from .image_steps import PullImage
    from .network import PlannedNetwork
    from .project import ProjectPlan
    from .steps import Step

_PULL, _PURGE = "pull ", "purge "


class Outcome(t.NamedTuple):
    """What became of one container. `error` is a sentence; `skipped` says which failure stopped it before it
    began. `facts` are those of its steps; of one that failed those of its error, with the `actions` that
    were done and last.
    """

    name: str
    error: str = ""
    skipped: str = ""
    facts: t.Mapping[str, t.Any] = {}
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return bool(self.error or self.skipped)


class Report(t.NamedTuple):
    """What became of all: `outcomes` in the order of the plan, the images that came, the networks of the
    project that went, and what was wrong with those that did not.
    """

    outcomes: t.Sequence[Outcome]
    pulled: t.Sequence[PullImage] = ()
    removed_networks: t.Sequence[PlannedNetwork] = ()
    network_errors: t.Sequence[str] = ()


def carry_out(engine: Engine, plan: ProjectPlan, parallelism: int, wait_timeout: float) -> Report:
    """`wait_timeout`: seconds for a container to reach the condition that another one depends on. Errors
    about networks and volumes are raised: nothing else has begun then.
    """
    _begin(engine, plan)
    _get_ready(engine, plan)
    engine.close()  # nobody may carry an open state file over a fork
    with Crew(parallelism) as crew:
        shift = _Shift(engine, plan, crew, wait_timeout)
        outcomes = shift.run()
    failed = any(outcome.failed for outcome in outcomes)
    outcomes = [*outcomes, *_purge(engine, plan, failed, shift.purged)]
    failed = any(outcome.failed for outcome in outcomes)
    removed, errors = ([], []) if failed else _remove_networks(engine, plan)
    return Report(outcomes, shift.pulled, removed, errors)


def _begin(engine: Engine, plan: ProjectPlan) -> None:
    """Who fails here says what was done before."""
    parts = [*(each.plan for each in plan.networks), *(each.plan for each in plan.volumes)]
    done: list[str] = []
    for part in parts:
        try:
            part.execute(engine)
        except CoracleError as error:
            told = [*done, *error.facts.get("actions", ())]
            error.facts.update(actions=told, changed=bool(told))
            raise
        done += part.actions


def _get_ready(engine: Engine, plan: ProjectPlan) -> None:
    """What all jobs begin with is done once, if there are several."""
    busy = [planned for planned in plan.containers.values() if planned.plan.steps]
    if len(busy) > 1:
        from ..operations.load_verbs import load_verbs

        known = [outlook.record for planned in busy for outlook in (planned.before, planned.after) if outlook]
        load_verbs(engine, network=any(has_interfaces(network_mode(record.config)) for record in known))


def _purge(engine: Engine, plan: ProjectPlan, failed: bool, purged: t.Mapping[str, Outcome]) -> list[Outcome]:
    """All but those that are `purged` already."""
    outcomes = []
    for name, planned in plan.purged.items():
        if name in purged:
            outcomes.append(purged[name])
        elif failed:
            outcomes.append(Outcome(name, skipped="it is no longer declared, but other containers failed"))
        else:
            outcomes.append(_tried(engine, name, planned))
    return outcomes


def _remove_networks(engine: Engine, plan: ProjectPlan) -> tuple[list[PlannedNetwork], list[str]]:
    removed, errors = [], []
    for network in plan.purged_networks:
        try:
            network.plan.execute(engine)
            removed.append(network)
        except CoracleError as error:
            errors.append(str(error))
    return removed, errors


def _tried(engine: Engine, name: str, planned: Planned) -> Outcome:
    try:
        planned.plan.execute(engine)
    except CoracleError as error:
        return Outcome(name, error=str(error), facts=error.facts)
    return Outcome(name)


class _Shift:
    def __init__(self, engine: Engine, plan: ProjectPlan, crew: Crew, wait_timeout: float) -> None:
        self._engine = engine
        self._plan = plan
        self._crew = crew
        self._wait_timeout = wait_timeout
        self._outcomes: dict[str, Outcome] = {}
        self._begun: dict[str, float] = {}
        self._heirs = plan.heirs
        self._leaving: set[str] = set()
        self.purged: dict[str, Outcome] = {}
        self._pulls = {f"{_PULL}{number}": step for number, step in enumerate(plan.pulls)}
        self._pulled: dict[int, str] = {}
        """Errors of the pulls that have ended, by the identity of their steps; empty: it is there."""

    def run(self) -> list[Outcome]:
        waiting_pulls = list(self._pulls)
        waiting = list(self._plan.containers)
        while waiting or waiting_pulls or self._crew.busy:
            while waiting_pulls and not self._crew.full:
                name = waiting_pulls.pop(0)
                self._crew.begin(name, functools.partial(_execute, self._copy(), [self._pulls[name]]))
            waiting = [name for name in waiting if not self._settle(name)]
            if self._crew.busy:
                self._note(*self._crew.next())
        return [self._outcomes[name] for name in self._plan.containers]

    @property
    def pulled(self) -> list[PullImage]:
        return [step for step in self._plan.pulls if self._pulled.get(id(step)) == ""]

    def _settle(self, name: str) -> bool:
        """Begin it if it can begin; or say at once what became of it. False: it has to wait."""
        needs = self._plan.needs.get(name, {})
        pulls = [self._pulled.get(id(step)) for step in self._plan.needs_images.get(name, ())]
        failed = [other for other in needs if other in self._outcomes and self._outcomes[other].failed]
        broken = next(filter(None, pulls), "")
        if failed:
            self._outcomes[name] = Outcome(name, skipped=f"it depends on {', '.join(failed)}")
            return True
        if broken:
            self._outcomes[name] = Outcome(name, error=broken)
            return True
        if None in pulls or any(other not in self._outcomes for other in needs):
            return False
        if not self._has_room(name):
            return False
        steps = self._plan.containers[name].plan.steps
        if not steps:
            self._outcomes[name] = Outcome(name)
            return True
        if self._crew.full:
            return False
        self._begun[name] = time.monotonic()
        job = functools.partial(_execute, self._copy(), steps, needs, self._wait_timeout)
        self._crew.begin(name, job)
        return True

    def _has_room(self, name: str) -> bool:
        """Have those gone whose ports it gets? They are told to, now that it could begin."""
        holders = [held for held, heirs in self._heirs.items() if name in heirs and held not in self.purged]
        for held in holders:
            if held not in self._leaving and not self._crew.full:
                self._leaving.add(held)
                job = f"{_PURGE}{held}"
                self._begun[job] = time.monotonic()
                steps = self._plan.purged[held].plan.steps
                self._crew.begin(job, functools.partial(_execute, self._copy(), steps))
        return not holders

    def _copy(self) -> Engine:
        return Engine(self._engine.paths, self._engine.runtime, self._engine.conmon)

    def _note(self, name: str, answer: dict[str, t.Any] | CoracleError) -> None:
        if name in self._pulls:
            error = str(answer) if isinstance(answer, CoracleError) else ""
            self._pulled[id(self._pulls[name])] = error
            return
        seconds = time.monotonic() - self._begun[name]
        if isinstance(answer, CoracleError):
            outcome = Outcome(name, error=str(answer), facts=answer.facts, seconds=seconds)
        else:
            outcome = Outcome(name, facts=answer, seconds=seconds)
        if name.startswith(_PURGE):
            held = name[len(_PURGE) :]
            self.purged[held] = outcome._replace(name=held)
        else:
            self._outcomes[name] = outcome


def _execute(
    engine: Engine,
    steps: t.Sequence[Step | PullImage],
    needs: t.Mapping[str, str] | None = None,
    wait_timeout: float = 0.0,
) -> dict[str, t.Any]:
    """In a process of its own."""
    from .steps import Plan

    with engine:
        _await(engine, needs or {}, wait_timeout)
        return Plan(steps).execute(engine)


def _await(engine: Engine, needs: t.Mapping[str, str], timeout: float) -> None:
    """Until the others are where they have to be. Who has only to be started is that already."""
    from ..operations.wait_for_containers import Want, wait_for_containers

    wants = {HEALTHY: Want("healthy"), COMPLETED: Want("exited", exit_codes=(0,))}
    for name, condition in needs.items():
        if condition in wants:
            wait_for_containers(engine, [name], wants[condition], timeout)
