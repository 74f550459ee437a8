# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every module travels with the help of its action plugin, and is in the action group."""

from __future__ import annotations

import ast
import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[4]
NOT_FOR_PLAYBOOKS = "coracle_task"
READERS = ("container_logs", "container_wait")  # and those that say so in their name
DO_MORE = ("container_copy", "containers")  # their action plugins read files of the controller
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")
USABLE = [name for name in MODULES if name != NOT_FOR_PLAYBOOKS]


@pytest.mark.parametrize("name", USABLE)
def test_every_module_has_its_action_plugin(name: str) -> None:
    """A class below EngineTask that says whether the module only reads, and mostly nothing else."""
    tree = ast.parse((ROOT / "plugins" / "action" / f"{name}.py").read_text(encoding="utf-8"))
    [action] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert (action.name, [ast.unparse(base) for base in action.bases]) == ("ActionModule", ["EngineTask"])
    said = [ast.unparse(statement) for statement in action.body]
    if name in DO_MORE:
        assert "super()._run()" in ast.unparse(action)
        return
    assert said == (["READS = True"] if name.endswith("_info") or name in READERS else ["pass"])


def test_there_is_no_action_plugin_without_a_module() -> None:
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")} - {"__init__"}
    assert actions == set(USABLE)


def test_the_action_group_is_complete() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert sorted(runtime["action_groups"]["all"]) == USABLE
