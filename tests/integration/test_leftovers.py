# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The fixture that judges all other tests must itself see what is left, and clean up."""

from __future__ import annotations

import os
import pathlib
import tarfile

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.programs import spawn
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.leftovers import Watch


def test_everything_left_is_named_and_removed(tmp_path: pathlib.Path) -> None:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    watch = Watch(tmp_path, paths, patience=0)
    make_private_directory(paths.netns)
    create_network_namespace(os.path.join(paths.netns, "n"))
    stray = spawn(["sleep", "1000"], cwd=str(tmp_path))
    cgroups.join(stray.pid, f"{paths.cgroup_parent}/conmon")
    descriptor = os.open(tmp_path, os.O_RDONLY)

    found = watch.leftovers()
    os.close(descriptor)
    watch.clean()
    stray.wait()

    kinds = {line.partition(":")[0] for line in found}
    assert kinds == {"mounted", "cgroup", "process", "child", "descriptor"}
    assert watch.leftovers() == []
    assert mounts.mounts_below(str(tmp_path)) == []
    assert not tmp_path.exists()


def test_nothing_left_is_nothing_found(engine_roots: Paths) -> None:
    make_private_directory(engine_roots.locks)


def test_the_root_file_system_is_complete(busybox_rootfs_tar: pathlib.Path) -> None:
    with tarfile.open(busybox_rootfs_tar) as tar:
        names = set(tar.getnames())
        assert tar.getmember("bin/sh").linkname == "busybox"
    assert {"bin/busybox", "bin/httpd", "etc/passwd", "etc/group", "www/index.html", "tmp"} <= names
