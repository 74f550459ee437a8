# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Plans as data: `cases/volume/*.yml` hold a task, what it finds, and the steps that follow.

case         what it is about
there        the volume that is found (absent: none): `labels`, `driver_options`; `users`: names of containers
task         the task's options, over the defaults of the module
steps        what the plan says; `differences` (fields) and `warning` where of interest
error        instead of steps: a part of the message
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.coracle.engine.plugins.module_utils.module.volume_options import (
    VOLUME,
    read_volume_request,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.volume import (
    PlannedVolume,
    plan_volume,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.driver_options import (
    parse_driver_options,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.records import (
    ensure_volume,
    use_volume,
)

CASES = pathlib.Path(__file__).parent / "cases" / "volume"


@pytest.fixture
def engine(tmp_path: pathlib.Path) -> t.Iterator[Engine]:
    with Engine(Paths(str(tmp_path / "root"), str(tmp_path / "run"))) as engine:
        yield engine


def set_up(engine: Engine, case: dict[str, t.Any]) -> None:
    if "there" not in case:
        return
    options = parse_driver_options(case["there"].get("driver_options", {}), "driver_options")
    with engine.database.transaction() as transaction:
        ensure_volume(
            transaction, engine.paths, "data", labels=case["there"].get("labels"), driver_options=options
        )
        for name in case.get("users", ()):
            transaction.execute("INSERT INTO containers VALUES (?, ?, NULL, '{}', '{}', '')", (name, name))
            use_volume(transaction, "data", name)


def planned(engine: Engine, case: dict[str, t.Any]) -> PlannedVolume:
    defaults = {name: option.get("default") for name, option in VOLUME.options.items()}
    assert set(case["task"]) <= set(defaults), "the case has an option that does not exist"
    return plan_volume(engine, read_volume_request({**defaults, "name": "data", **case["task"]}))


def cases() -> list[t.Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['case']}")
        for path in sorted(CASES.glob("*.yml"))
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("case", cases())
def test_plan(engine: Engine, case: dict[str, t.Any]) -> None:
    set_up(engine, case)
    if "error" in case:
        with pytest.raises(CoracleError) as raised:
            planned(engine, case)
        assert case["error"] in str(raised.value)
        return
    result = planned(engine, case)
    assert result.plan.actions == case["steps"]
    assert result.plan.changed == bool(case["steps"])
    assert list(result.warnings) == ([case["warning"]] if "warning" in case else [])
    if "differences" in case:
        assert [difference.field for difference in result.plan.differences] == case["differences"]
    shown = str([result.plan.actions, result.warnings, [one.to_json() for one in result.plan.differences]])
    assert "hunter" not in shown


@pytest.mark.parametrize("case", cases())
def test_a_plan_that_was_carried_out_has_nothing_left_to_do(engine: Engine, case: dict[str, t.Any]) -> None:
    set_up(engine, case)
    if "error" in case or case["task"].get("recreate") == "always":
        return
    result = planned(engine, case)
    result.plan.execute(engine)
    again = planned(engine, case)
    assert again.plan.actions == []
    assert again.before is None or result.after is None or again.before[:2] == result.after[:2]


def test_planning_makes_nothing(engine: Engine) -> None:
    planned(engine, {"task": {}})
    assert not engine.exists
