# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The launcher: there for everybody, right, and never in place of somebody else's file."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
import sys

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import install_command
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> Paths:
    found = Paths(str(tmp_path / "it's root"), str(tmp_path / "run"))
    os.makedirs(found.agent)
    return found


@pytest.fixture
def default(paths: Paths, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The place of the command, for an engine that is taken for the one in the default root."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(install_command, "COMMAND", str(tmp_path / "bin" / "coracle"))
    monkeypatch.setattr(install_command, "DEFAULT_ROOT", paths.root)
    return tmp_path / "bin" / "coracle"


def archive(paths: Paths) -> str:
    """One that says what it was told."""
    path = os.path.join(paths.agent, "it's.py")
    pathlib.Path(path).write_text("import sys; print(sys.argv[1:])")
    return path


def test_it_passes_everything_on_and_knows_its_root(
    paths: Paths, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_command, "COMMAND", str(tmp_path / "coracle"))
    install_command.install_command(paths, archive(paths))
    launcher = os.path.join(paths.agent, "coracle")
    assert stat.S_IMODE(os.stat(launcher).st_mode) == 0o755
    said = subprocess.run([launcher, "ps", "a b", "$x"], capture_output=True, text=True, check=True).stdout
    assert said == f"{['command', '--root', paths.root, 'ps', 'a b', '$x']}\n"
    assert not os.path.exists(install_command.COMMAND)


def test_the_default_root_has_it_where_people_look(paths: Paths, default: pathlib.Path) -> None:
    assert not install_command.has_command(paths)
    install_command.install_command(paths, archive(paths))
    assert install_command.has_command(paths)
    assert subprocess.run([default, "ps"], capture_output=True, text=True, check=True).stdout == (
        "['command', 'ps']\n"
    )


def test_an_older_launcher_is_replaced(paths: Paths, default: pathlib.Path) -> None:
    default.write_text("#!/bin/sh\n# coracle.engine: of last year\n")
    install_command.install_command(paths, archive(paths))
    assert sys.executable in default.read_text()


@pytest.mark.parametrize("content", ["#!/bin/sh\necho I was here first\n", ""])
def test_what_somebody_else_has_put_there_stays(paths: Paths, default: pathlib.Path, content: str) -> None:
    default.write_text(content)
    install_command.install_command(paths, archive(paths))
    assert default.read_text() == content
    assert install_command.has_command(paths)


def test_a_link_stays(paths: Paths, default: pathlib.Path) -> None:
    default.symlink_to("elsewhere")
    install_command.install_command(paths, archive(paths))
    assert os.readlink(default) == "elsewhere"


def test_where_it_cannot_be_written_the_engine_does_without(paths: Paths, default: pathlib.Path) -> None:
    default.parent.rmdir()
    install_command.install_command(paths, archive(paths))
    assert os.path.exists(os.path.join(paths.agent, "coracle"))
    assert not default.exists()
    assert install_command.has_command(paths)


def test_without_the_archive_it_says_what_to_do(paths: Paths) -> None:
    install_command.install_command(paths, os.path.join(paths.agent, "gone"))
    launcher = os.path.join(paths.agent, "coracle")
    done = subprocess.run([launcher, "ps"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "try sudo" in done.stderr
