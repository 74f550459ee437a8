# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What every task mends before it does its own work, whatever module it is of: what others have taken from
under running containers, or have left half-done.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .steps import Plan, Step

if t.TYPE_CHECKING:
    from ..engine import Engine


def plan_repairs(engine: Engine) -> Plan:
    """Empty, and cheap, on a host where nothing is missing."""
    if not engine.exists:
        return Plan()
    steps: list[Step] = [WatchHealth()] if _is_keeper_lost(engine) else []
    steps += _cut_off_replacements(engine)
    if not _has_networks(engine):
        return Plan(steps)
    from ..operations.look_after_network import lost_firewall, lost_names, unfinished_networks

    steps += [_finishing(name) for name in unfinished_networks(engine)]
    lost = lost_firewall(engine)
    steps += [RestoreFirewall(lost)] if lost else []
    lost = lost_names(engine)
    steps += [RestoreNames(lost)] if lost else []
    return Plan(steps)


def _is_keeper_lost(engine: Engine) -> bool:
    """Was whoever probed containers killed, while some of them run?"""
    if not os.path.exists(os.path.join(engine.paths.run_root, "health-keeper")):
        return False
    from ..operations.watch_health import is_unwatched

    return is_unwatched(engine)


def _cut_off_replacements(engine: Engine) -> list[Step]:
    """Of containers of any name. Those that go on are held by whoever replaces."""
    if engine.records.read().one("SELECT 1 FROM containers WHERE name >= '.' AND name < '/' LIMIT 1") is None:
        return []
    from ..container.records import find_container, hidden_for, list_hidden
    from ..linux.locks import is_held
    from .container_steps import RepairReplacement

    steps: list[Step] = []
    for half in list_hidden(engine.records):
        replaces = half.state.replaces
        old_id = replaces.container_id if replaces else half.id
        if not is_held(engine.paths, f"replacement-{old_id}") and find_container(engine.records, half.id):
            steps.append(
                RepairReplacement(half.id, hidden_for(half.name), replaces, bool(half.state.kept_since))
            )
    return steps


def _finishing(name: str) -> Step:
    from .network_steps import FinishNetwork

    return FinishNetwork(name)


def _has_networks(engine: Engine) -> bool:
    return engine.records.read().one("SELECT 1 FROM endpoints LIMIT 1") is not None


@dataclasses.dataclass(frozen=True)
class WatchHealth(Step):
    def describe(self) -> str:
        return "watch the health of containers again: who did was killed"

    def execute(self, engine: Engine) -> None:
        from ..operations.watch_health import watch_health

        watch_health(engine)


@dataclasses.dataclass(frozen=True)
class RestoreFirewall(Step):
    reason: str

    def describe(self) -> str:
        return f"restore the firewall of the containers: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.update_firewall import update_firewall

        update_firewall(engine)


@dataclasses.dataclass(frozen=True)
class RestoreNames(Step):
    reason: str

    def describe(self) -> str:
        return f"serve the names of the containers again: {self.reason}"

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        from ..operations.update_names import update_names

        return {"warnings": update_names(engine)}
