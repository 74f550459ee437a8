# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The collection as users get it: built, installed somewhere else, and called by all its names."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = pathlib.Path(sys.executable).parent
NEEDED_AT_RUN_TIME = {"meta", "playbooks", "plugins", "roles"}
FOR_PEOPLE = {
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "COPYING",
    "FILES.json",
    "LICENSES",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
}


def run(*argv: str, cwd: pathlib.Path, **variables: str) -> str:
    done = subprocess.run(
        [str(PROGRAMS / argv[0]), *argv[1:]],
        cwd=cwd,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    directory = tmp_path_factory.mktemp("archive")
    run("ansible-galaxy", "collection", "build", "--output-path", str(directory), str(ROOT), cwd=directory)
    return next(directory.glob("coracle-engine-*.tar.gz"))


@pytest.fixture(scope="module")
def installed(archive: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The collections path that the archive was installed in."""
    path = tmp_path_factory.mktemp("collections")
    run("ansible-galaxy", "collection", "install", "--offline", "-p", str(path), str(archive), cwd=path)
    return path


@pytest.mark.unprivileged
def test_archive_holds_what_users_need_and_no_more(archive: pathlib.Path) -> None:
    with tarfile.open(archive) as members:
        names = members.getnames()
    assert {name.split("/")[0] for name in names} <= NEEDED_AT_RUN_TIME | FOR_PEOPLE
    assert {name.split("/")[0] for name in names} >= NEEDED_AT_RUN_TIME
    assert not [name for name in names if "__pycache__" in name]
    assert archive.stat().st_size < 1 << 20


@pytest.mark.smoke
def test_installed_module_runs(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    where = f"root={tmp_path}/root run_root={tmp_path}/run"
    answer = run(
        "ansible",
        "localhost",
        *("-m", "coracle.engine.container_info", "-a", where),
        *("-e", "ansible_python_interpreter=/usr/bin/python3"),
        cwd=tmp_path,
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )
    assert "localhost | SUCCESS" in answer
    assert not (tmp_path / "root").exists()


@pytest.mark.unprivileged
def test_installed_documentation(installed: pathlib.Path) -> None:
    listed = run(
        "ansible-doc", "--list", "coracle.engine", cwd=installed, ANSIBLE_COLLECTIONS_PATH=str(installed)
    )
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert [line.split()[0].removeprefix("coracle.engine.") for line in listed.splitlines()] == modules


@pytest.mark.parametrize("name", ["container_info", "coracle.engine.container_info"])
def test_checkout_knows_short_and_full_names(name: str, tmp_path: pathlib.Path) -> None:
    where = f"root={tmp_path}/root run_root={tmp_path}/run"
    answer = run("ansible", "localhost", "-m", name, "-a", where, cwd=ROOT)
    assert "localhost | SUCCESS" in answer


@pytest.mark.unprivileged
def test_playbook_by_its_full_name(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    argv = ["ansible-playbook", "coracle.engine.host", "-i", "localhost,", "--syntax-check"]
    assert "coracle/engine/playbooks/host.yml" in run(
        *argv, cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=str(installed)
    )
