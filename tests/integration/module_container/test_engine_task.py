# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How tasks travel: whole to a bare target, then the engine once, then only its name."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import typing as t
import zipfile

import pytest

from ansible_collections.coracle.engine.tests.integration.module_container.plays import REPOSITORY, Target

ONCE = {"state": "present"}


def versions(target: Target) -> list[str]:
    agent = pathlib.Path(target.paths.agent)
    return sorted(path.name for path in agent.iterdir() if len(path.name) == 64)


@pytest.fixture(autouse=True)
def _unrehearsed(bare_target: Target) -> None:
    bare_target.unrehearsed = "these tests count what travels"


def current(target: Target) -> str:
    return os.readlink(os.path.join(target.paths.agent, "current"))


@pytest.mark.smoke
def test_a_bare_target_gets_the_module_first_and_the_engine_with_it(bare_target: Target) -> None:
    declared = {"image": bare_target.image, **ONCE}
    [first] = bare_target.run(bare_target.container(**declared))
    assert first["changed"] is True
    assert bare_target.sent == ["coracle_task", "container", "coracle_task"]
    [version] = versions(bare_target)
    assert current(bare_target) == version
    place = pathlib.Path(bare_target.paths.agent, version)
    with zipfile.ZipFile(place / "coracle.pyz") as archive:
        assert "coracle/modules/container_info.py" in archive.namelist()
    assert len(list(place.glob("cpython-*.zip"))) == 1
    command = [os.path.join(bare_target.paths.agent, "coracle"), "ps", "-a", "--format", "{{.Names}}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "web\n"

    second, info, gone = bare_target.run(
        bare_target.container(**declared), bare_target.info(), bare_target.container(state="absent")
    )
    assert bare_target.sent == ["coracle_task"] * 3
    assert (second["changed"], len(info["containers"]), gone["changed"]) == (False, 1, True)
    assert second["container"] == first["container"]


def test_a_root_without_the_engine_gets_it_at_once(target: Target) -> None:
    [info, checked, done, gone] = target.run(
        target.info(),
        target.container(image=target.image, check=True, **ONCE),
        target.container(image=target.image, **ONCE),
        target.container(state="absent", check=True),
    )
    assert target.sent == [
        *("coracle_task", "container_info"),
        *("coracle_task", "container"),
        *("coracle_task", "coracle_task"),
        "coracle_task",
    ]
    assert (info["containers"], checked["changed"], done["changed"], gone["changed"]) == (
        [],
        True,
        True,
        True,
    )
    target.remove()


@pytest.mark.parametrize("check", [True, False], ids=["check", "looking"])
def test_nothing_is_left_on_a_bare_target_by_looking(bare_target: Target, check: bool) -> None:
    task = bare_target.container(image=bare_target.image, check=True) if check else bare_target.info()
    bare_target.run(task)
    assert bare_target.sent == ["coracle_task", "container" if check else "container_info"]
    assert not os.path.exists(bare_target.paths.root)


def test_an_engine_that_was_tampered_with_is_not_run(target: Target) -> None:
    target.run(target.container(image=target.image, **ONCE))
    archive = pathlib.Path(target.paths.agent, current(target), "coracle.pyz")
    good = archive.read_bytes()
    archive.write_bytes(good.replace(b"def main", b"def pain"))
    looked, done = target.run(target.info(), target.container(image=target.image, **ONCE))
    assert target.sent == ["coracle_task", "container_info", "coracle_task", "coracle_task"]
    assert (len(looked["containers"]), done["changed"]) == (1, False)
    assert archive.read_bytes() == good
    target.remove()


def test_directories_that_others_may_enter_are_not_trusted(target: Target) -> None:
    target.run(target.container(image=target.image, **ONCE))
    os.chmod(target.paths.agent, 0o755)
    [info] = target.run(target.info())
    assert target.sent == ["coracle_task", "container_info"]
    os.chmod(target.paths.agent, 0o700)
    os.rename(target.paths.agent, target.paths.agent + ".moved")
    os.symlink(target.paths.agent + ".moved", target.paths.agent)
    [again] = target.run(target.info())
    assert target.sent == ["coracle_task", "container_info"]
    assert info["containers"] == again["containers"] != []
    os.unlink(target.paths.agent)
    os.rename(target.paths.agent + ".moved", target.paths.agent)
    target.remove()


def test_in_the_background(bare_target: Target) -> None:
    def background(task: t.Any) -> t.Any:
        return {**task, "async": 60, "poll": 1}

    declared = {"image": bare_target.image, **ONCE}
    first, again, failed = bare_target.run(
        background(bare_target.container(**declared)),
        background(bare_target.container(**declared)),
        background(bare_target.container(**declared, memory="lots")),
    )
    assert (first["changed"], again["changed"], failed["failed"]) == (True, False, True)
    assert "memory: 'lots' is not a size" in failed["msg"]
    assert bare_target.sent[:2] == ["coracle_task", "container"]
    assert "container" not in bare_target.sent[2:]
    bare_target.remove()


def test_ten_at_once_on_one_root(target: Target) -> None:
    made = target.run(target.container(name="{{ inventory_hostname }}", image=target.image, **ONCE), hosts=10)
    assert [result["changed"] for result in made] == [True] * 10
    [version] = versions(target)
    assert current(target) == version
    assert os.listdir(os.path.join(target.paths.agent, version)).count("coracle.pyz") == 1
    assert len(os.listdir(os.path.join(target.paths.agent, version))) == 2
    gone = target.run(target.container(name="{{ inventory_hostname }}", state="absent"), hosts=10)
    assert [result["changed"] for result in gone] == [True] * 10


@pytest.mark.parametrize("name", ["container", "coracle.engine.container"])
def test_short_and_full_names(target: Target, name: str) -> None:
    [task] = [target.container(image=target.image, **ONCE)]
    renamed = {name if key.endswith("container") else key: value for key, value in task.items()}
    [done] = target.run(renamed)
    assert done["changed"] is True
    assert target.sent == ["coracle_task", "coracle_task"]
    target.remove()


def test_without_the_action_plugin_a_module_travels_whole(target: Target, tmp_path: pathlib.Path) -> None:
    """A checkout of which only `library` and `module_utils` are configured."""
    config = tmp_path / "plain.cfg"
    plugins = REPOSITORY / "plugins"
    config.write_text(f"[defaults]\nlibrary = {plugins}/modules\nmodule_utils = {plugins}/module_utils\n")
    task = {
        "container" if key.endswith("container") else key: value
        for key, value in target.container(image=target.image).items()
    }
    done, again = target.run(task, task, ANSIBLE_CONFIG=str(config))
    assert target.sent == ["container"] * 2
    assert (done["changed"], again["changed"]) == (True, False)
    target.remove()


@pytest.fixture
def other_version(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment that uses another version of the collection. Its container_info fails unforeseen."""
    place = tmp_path / "other" / "ansible_collections" / "coracle" / "engine"
    shutil.copytree(REPOSITORY / "plugins", place / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "meta", place / "meta")
    shutil.copy(REPOSITORY / "galaxy.yml", place)
    module = place / "plugins" / "modules" / "container_info.py"
    failing = re.sub(r"^(def run\(.*:)$", r"\1\n    1 / 0", module.read_text(), flags=re.MULTILINE)
    assert "    1 / 0\n" in failing
    module.write_text(failing)
    config = tmp_path / "other.cfg"
    config.write_text(f"[defaults]\ncollections_path = {tmp_path / 'other'}\n")
    return {"ANSIBLE_CONFIG": str(config)}


def test_each_version_runs_its_own_engine_and_old_ones_go(
    target: Target, other_version: dict[str, str]
) -> None:
    created = target.container(image=target.image, **ONCE)
    target.run(created)
    ours = current(target)
    [same] = target.run(created, **other_version)
    theirs = current(target)
    assert (same["changed"], theirs != ours, versions(target)) == (False, True, sorted([ours, theirs]))

    config = pathlib.Path(other_version["ANSIBLE_CONFIG"])
    [module] = config.parent.glob("other/ansible_collections/coracle/engine/plugins/modules/container.py")
    module.write_text(module.read_text() + "# a third version\n")
    target.run(created, **other_version)
    assert versions(target) == sorted([theirs, current(target)])
    target.remove()


def test_unforeseen_errors_can_be_read_either_way(target: Target, other_version: dict[str, str]) -> None:
    [whole] = target.run(target.info(), **other_version)
    assert target.sent == ["coracle_task", "container_info"]
    _created, named = target.run(
        target.container(image=target.image, **ONCE),
        target.info(),
        ANSIBLE_DISPLAY_TRACEBACK="error",
        **other_version,
    )
    assert target.sent == ["coracle_task"] * 3
    for failed in (whole, named):
        assert failed["msg"].startswith("unexpected ZeroDivisionError: division by zero")
        assert any("modules/container_info.py" in line for line in failed["traceback"])
    assert "ZeroDivisionError" in str(named["exception"])
    target.remove()


def test_coracle_task_is_not_for_playbooks(target: Target) -> None:
    [failed] = target.run({"coracle.engine.coracle_task": {}})
    assert failed["msg"] == "this module is only run by the other modules of coracle.engine"
