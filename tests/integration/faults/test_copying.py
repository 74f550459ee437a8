# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Copying to a container at rest, interrupted anywhere: every file is the old or the new one, and whole."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.copy_by_docker import copy_out
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import store_image
from ansible_collections.coracle.engine.tests.integration.faults import verbs
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.faults.injection import CONTENT, NAMING, SYNCING
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    cut_power_everywhere,
    fail_everywhere,
    kill_everywhere,
)

pytestmark = pytest.mark.slow

NAME = "web"
FILES = ("one", "two", "sub/three")


class CopyOver(Trial):
    """New files over old ones."""

    verb = staticmethod(verbs.copy_files)

    def __init__(self, paths: Paths, work: pathlib.Path) -> None:
        self.trees = {age: work / age for age in ("old", "new")}
        for age, tree in self.trees.items():
            (tree / "sub").mkdir(parents=True)
            for name in FILES:
                (tree / name).write_text(f"{age} {name}\n" * 1000)
        (self.trees["new"] / "link").symlink_to("one")
        self.got = work / "got"
        super().__init__(paths, NAME, f"{self.trees['new']}/.", "/www")

    def begin(self, engine: Engine) -> None:
        verbs.create_container(engine, NAME)
        verbs.copy_files(engine, NAME, f"{self.trees['old']}/.", "/www")
        os.sync()

    def look(self, engine: Engine) -> dict[str, str]:
        subprocess.run(["rm", "-rf", self.got], check=True)
        copy_out(engine, NAME, "/www", str(self.got))
        names = [path for path in self.got.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.got)): path.read_text() for path in names}

    def check_survived(self, engine: Engine) -> None:
        found = self.look(engine)
        for name in FILES:
            assert found[name] in [(tree / name).read_text() for tree in self.trees.values()], name

    def check_done(self, engine: Engine) -> None:
        found = self.look(engine)
        assert sorted(found) == ["index.html", "link", *sorted(FILES)]
        for name in FILES:
            assert found[name] == (self.trees["new"] / name).read_text()

    def go_back(self, engine: Engine) -> None:
        if find_container(engine.database, NAME):
            remove_container(engine, NAME, volumes=True)


def stock(paths: Paths, rootfs: pathlib.Path) -> None:
    """The image, and what the first container leaves."""
    store_image(paths, rootfs)
    with Engine(paths) as engine:
        verbs.create_container(engine, "first")
        verbs.remove_container(engine, "first")


@pytest.fixture
def trial(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path) -> CopyOver:
    stock(engine_roots, busybox_rootfs_tar)
    return CopyOver(engine_roots, tmp_path)


def test_killed_anywhere(trial: CopyOver) -> None:
    kill_everywhere(trial, 25)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_the_disk_refuses(trial: CopyOver, error: str) -> None:
    syscalls: t.Sequence[str] = SYNCING if error == "EIO" else (*NAMING, *CONTENT, "write")
    fail_everywhere(trial, error, syscalls, limit=10)


@pytest.mark.parametrize(("filesystem", "options"), [("ext4", "data=writeback"), ("xfs", "")])
def test_the_power_fails(
    engine_roots: Paths,
    busybox_rootfs_tar: pathlib.Path,
    tmp_path: pathlib.Path,
    filesystem: str,
    options: str,
) -> None:
    with Disk(pathlib.Path(engine_roots.root).parent, filesystem=filesystem, options=options) as disk:
        stock(disk.paths, busybox_rootfs_tar)
        cut_power_everywhere(CopyOver(disk.paths, tmp_path), disk, limit=8)
