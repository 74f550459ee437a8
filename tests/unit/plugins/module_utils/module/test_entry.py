# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The entry of every module: one way in, and every way out is a result that Ansible understands."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

pytest.importorskip(
    "ansible.module_utils.testing", reason="not applicable: ansible-core does not run on this Python"
)

from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.coracle.engine.plugins.module_utils.module import entry
from ansible_collections.coracle.engine.plugins.module_utils.module.argspec import ArgumentSpec
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    InvalidInput,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.steps import Plan, Step

SPEC = ArgumentSpec({"name": {"type": "str"}})


class Exit(Exception):
    def __init__(self, failed: bool, result: dict[str, t.Any]) -> None:
        super().__init__(result)
        self.failed = failed
        self.result = result


@pytest.fixture(autouse=True)
def leave_by_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def exit_json(self: basic.AnsibleModule, **result: t.Any) -> t.NoReturn:
        raise Exit(False, result)

    def fail_json(self: basic.AnsibleModule, msg: str, **result: t.Any) -> t.NoReturn:
        raise Exit(True, {"msg": msg, **result})

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", exit_json)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail_json)
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def run(tmp_path: pathlib.Path, act: t.Callable[..., dict[str, t.Any]], **arguments: t.Any) -> Exit:
    roots = {"root": str(tmp_path / "root"), "run_root": str(tmp_path / "run")}
    with patch_module_args({**roots, **arguments}), pytest.raises(Exit) as left:
        entry.run_module(SPEC, act)
    return left.value


def test_parameters_in_and_result_out(tmp_path: pathlib.Path) -> None:
    def act(engine: t.Any, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
        return {
            "changed": False,
            "said": params["name"],
            "check": check_mode,
            "root": engine.paths.root,
            "diff": {},
        }

    left = run(tmp_path, act, name="web", _ansible_check_mode=True, root=f"{tmp_path}//root/")
    assert not left.failed
    assert left.result == {"changed": False, "said": "web", "check": True, "root": f"{tmp_path}/root"}
    assert "diff" in run(tmp_path, act, _ansible_diff=True).result
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_cannot_be_are_explained(tmp_path: pathlib.Path) -> None:
    def explain(given: t.Mapping[str, t.Any]) -> CoracleError | None:
        return InvalidInput("tls: there is no daemon", "leave it out") if "tls" in given else None

    def fails(**arguments: t.Any) -> str:
        with patch_module_args(arguments), pytest.raises(Exit) as left:
            entry.run_module(SPEC, lambda *_arguments: {"changed": False}, explain=explain)
        assert left.value.failed
        return str(left.value.result["msg"])

    assert fails(name="web", tls=True) == "tls: there is no daemon (leave it out)"
    assert fails(tls=True, unknown=1, name=[]) == "tls: there is no daemon (leave it out)"
    assert "unknown" in fails(unknown=1)


def test_what_is_hidden_is_hidden_in_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[str] = []

    def fail_json(self: basic.AnsibleModule, msg: str, **_result: t.Any) -> t.NoReturn:
        hidden.extend(self.no_log_values)
        raise Exit(True, {"msg": msg})

    monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail_json)
    with patch_module_args({"name": "hunter2", "unknown": 1}), pytest.raises(Exit, match="unknown"):
        entry.run_module(SPEC, lambda *_arguments: {}, hidden=lambda params: [params["name"]])
    assert "hunter2" in hidden


def test_warnings_become_those_of_ansible(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: heard.append(text))
    left = run(tmp_path, lambda *_arguments: {"changed": False, "warnings": ["careful"]})
    assert (left.result, heard) == ({"changed": False}, ["careful"])


class Repair(Step):
    """One that fails with `error`, if there is one."""

    def __init__(self, error: str = "") -> None:
        self.error = error

    def describe(self) -> str:
        return "mend it"

    def execute(self, engine: t.Any) -> dict[str, t.Any]:
        if self.error:
            raise NotFound(self.error)
        return {"warnings": ["mended"]}


def test_repairs_are_part_of_the_result(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "plan_repairs", lambda _engine: Plan([Repair()]))
    result = run(tmp_path, lambda *_arguments: {"changed": False, "actions": ["work"]}).result
    assert result["changed"]
    assert result["actions"] == ["mend it", "work"]


def test_a_repair_that_fails_does_not_stop_the_task(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: said.append(text))
    monkeypatch.setattr(entry, "plan_repairs", lambda _engine: Plan([Repair("no such kernel")]))
    result = run(tmp_path, lambda *_arguments: {"changed": False, "actions": []}).result
    assert not result["changed"]
    assert result["actions"] == []
    assert said == ["mend it: no such kernel"]


def test_our_errors_are_sentences_with_facts(tmp_path: pathlib.Path) -> None:
    def act(*_arguments: t.Any) -> dict[str, t.Any]:
        raise NotFound("container web does not exist", "give image", option="image", msg="never this")

    left = run(tmp_path, act)
    assert left.failed
    assert left.result == {
        "msg": "container web does not exist (give image)",
        "error": "NotFound",
        "option": "image",
    }


def test_the_disk_is_no_defect(tmp_path: pathlib.Path) -> None:
    def act(*_arguments: t.Any) -> dict[str, t.Any]:
        raise OSError(28, "No space left on device", "/r/state.db")

    assert (
        run(tmp_path, act).result["msg"].startswith("/r/state.db: No space left on device (free some space")
    )


def test_anything_else_is_a_defect_with_its_traceback(tmp_path: pathlib.Path) -> None:
    def act(*_arguments: t.Any) -> dict[str, t.Any]:
        return {"changed": 1 / 0}

    result = run(tmp_path, act).result
    assert result["msg"].startswith("unexpected ZeroDivisionError: division by zero (a defect")
    assert "in act" in result["exception"]
    assert result["traceback"] == result["exception"].splitlines()


def test_without_root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(tmp_path, lambda *_arguments: {}).result["error"] == "HostNotReady"
