# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What holds for the files of this repository as a whole."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTERNAL_MODULES = {"coracle_task"}
MODULES = sorted({path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")} - INTERNAL_MODULES)
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def tracked() -> dict[str, str]:
    """Mode by name of every file that git tracks."""
    listed = subprocess.run(["git", "ls-files", "--stage", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not applicable: this is not a git checkout")
    return {
        entry.split("\t", 1)[1]: entry.split(" ", 1)[0]
        for entry in listed.stdout.decode().split("\0")
        if entry
    }


def texts() -> dict[str, str]:
    names = [name for name, mode in tracked().items() if mode.startswith("100")]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in names if (ROOT / name).exists()}


def field(file: str, name: str) -> str:
    """A top-level scalar of a YAML file; PyYAML is not there on every Python that runs this."""
    found = re.search(rf"^{name}: *[\"']?([^\"'\n]+)", (ROOT / file).read_text(), re.MULTILINE)
    return found[1] if found else ""


def test_exactly_the_programs_are_executable() -> None:
    executable = {name for name, mode in tracked().items() if mode == "100755"}
    with_interpreter = {
        name
        for name, text in texts().items()
        if text.startswith("#!") and not name.startswith("plugins/modules/")
    }
    assert executable == with_interpreter


def test_files_say_their_licence() -> None:
    """BSD-2-Clause where other programs may want the code, else GPL-3.0-or-later."""
    for name, text in texts().items():
        if not name.endswith(".py") or not text.strip():
            continue
        head = text[:400]
        licence = re.search("SPDX-License-Identifier: (.*)", head)
        assert "Copyright (c) The Coracle authors" in head, name
        assert licence, name
        if name.startswith("plugins/module_utils/"):
            assert licence[1] == "BSD-2-Clause", name
        elif not name.startswith("tests/"):
            assert licence[1] == "GPL-3.0-or-later", name


def test_no_paths_of_a_machine() -> None:
    home = re.compile(r"(?<![\w}])/(?:root|home/[a-z]+)/(?!\.)")
    shipped = {name: text for name, text in texts().items() if not name.startswith("tests/")}
    assert [name for name, text in shipped.items() if home.search(text)] == []


def test_links_lead_somewhere_inside() -> None:
    for name, mode in tracked().items():
        if mode == "120000":
            assert not os.readlink(ROOT / name).startswith("/"), name
            assert (ROOT / name).resolve().is_relative_to(ROOT), name


def test_links_in_documents_lead_somewhere() -> None:
    for name, text in texts().items():
        if not name.endswith(".md"):
            continue
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target and not target.startswith("mailto:"):
                assert (ROOT / name).parent.joinpath(target).exists(), f"{name} links to {target}"


@pytest.mark.parametrize("name", [*MODULES, *ROLES])
def test_readme_names_everything(name: str) -> None:
    assert f"`coracle.engine.{name}`" in (ROOT / "README.md").read_text()


def test_action_group_holds_every_module() -> None:
    group = (ROOT / "meta" / "runtime.yml").read_text().split("  all:\n", 1)[1]
    assert re.findall(r"^ +- (\w+)$", group, re.MULTILINE) == MODULES


def test_version_is_the_one_of_the_changelog() -> None:
    """A version has its entry from the release on; before that, fragments say what will be in it."""
    version = field("galaxy.yml", "version")
    changelog = (ROOT / "changelogs" / "changelog.yaml").read_text()
    released = re.findall(r"^  (\d+\.\d+\.\d+):$", changelog, re.MULTILINE)
    fragments = list((ROOT / "changelogs" / "fragments").glob("*.yml"))
    assert version in released or fragments
    assert f'id="v{version}"'.replace(".", "-") in (ROOT / "CHANGELOG.md").read_text() or fragments


def test_the_engine_knows_its_version() -> None:
    engine = (ROOT / "plugins" / "module_utils" / "runtime" / "engine.py").read_text()
    assert f'\nVERSION = "{field("galaxy.yml", "version")}"\n' in engine


def test_requirements_are_pinned() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for line in path.read_text().splitlines():
            wanted = line.split("#")[0].strip()
            assert not wanted or wanted.startswith("-r ") or "==" in wanted, f"{path.name}: {line}"


def test_workflow_is_one_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("exec make test")
