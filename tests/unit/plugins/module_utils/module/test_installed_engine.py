# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What runs on the target before the engine does: it trusts nothing that it has not checked."""

from __future__ import annotations

import hashlib
import os
import pathlib
import zlib

import pytest

pytest.importorskip(
    "ansible.module_utils.basic", reason="not applicable: ansible-core does not run on this Python"
)

from ansible_collections.coracle.engine.plugins.module_utils.module import installed_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import DEFAULT_ROOT

CONTENT = b"an engine" * 1000
VERSION = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "root"
    root.mkdir(mode=0o700)
    return root


@pytest.fixture
def place(root: pathlib.Path) -> pathlib.Path:
    return root / "agent" / VERSION


def order(archive: pathlib.Path, version: str = VERSION) -> installed_engine.Order:
    return installed_engine.Order("container", version, str(archive), False)


def sent(tmp_path: pathlib.Path, content: bytes = zlib.compress(CONTENT)) -> pathlib.Path:
    archive = tmp_path / "sent"
    archive.write_bytes(content)
    return archive


def test_the_default_root_is_that_of_the_engine() -> None:
    assert installed_engine._DEFAULT_ROOT == DEFAULT_ROOT


def test_install_and_use(root: pathlib.Path, place: pathlib.Path, tmp_path: pathlib.Path) -> None:
    old = os.umask(0)
    try:
        installed_engine._install(str(root), str(place), order(sent(tmp_path)))
    finally:
        os.umask(old)
    assert [path.name for path in place.iterdir()] == ["coracle.pyz"]
    assert [path.stat().st_mode & 0o777 for path in (place.parent, place, place / "coracle.pyz")] == [
        0o700,
        0o700,
        0o600,
    ]
    assert installed_engine._hold(str(place), VERSION)


def test_an_archive_that_is_not_the_one_that_was_ordered(
    root: pathlib.Path, place: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    installed_engine._install(str(root), str(place), order(sent(tmp_path, zlib.compress(CONTENT + b"!"))))
    assert not place.exists()


def test_an_archive_that_was_changed_later(
    root: pathlib.Path, place: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    installed_engine._install(str(root), str(place), order(sent(tmp_path)))
    (place / "coracle.pyz").write_bytes(CONTENT + b"!")
    assert not installed_engine._hold(str(place), VERSION)


@pytest.mark.parametrize("which", ["root", "agent", "version"])
@pytest.mark.parametrize("how", ["others may enter", "a link"])
def test_directories_that_are_not_ours_alone(
    root: pathlib.Path, place: pathlib.Path, tmp_path: pathlib.Path, which: str, how: str
) -> None:
    installed_engine._install(str(root), str(place), order(sent(tmp_path)))
    directory = {"root": root, "agent": place.parent, "version": place}[which]
    if how == "a link":
        directory.rename(tmp_path / "moved")
        directory.symlink_to(tmp_path / "moved")
    else:
        directory.chmod(0o750)
    assert not installed_engine._hold(str(place), VERSION)


def test_a_link_instead_of_the_archive(
    root: pathlib.Path, place: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    installed_engine._install(str(root), str(place), order(sent(tmp_path)))
    (place / "coracle.pyz").rename(tmp_path / "moved")
    (place / "coracle.pyz").symlink_to(tmp_path / "moved")
    with pytest.raises(OSError):
        installed_engine._hold(str(place), VERSION)
