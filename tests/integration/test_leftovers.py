# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The fixture that judges all other tests must itself see what is left, and clean up."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tarfile

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    in_network_namespace,
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


def test_links_and_tables_are_named_and_removed(tmp_path: pathlib.Path) -> None:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    make_private_directory(paths.netns)
    place = os.path.join(paths.netns, "n")
    create_network_namespace(place)

    def leave_and_look() -> tuple[list[str], list[str]]:
        for name, alias in (("br0", f"{paths.instance}:1"), ("cv-1", ""), ("cor-1", "other:1"), ("br1", "")):
            subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
            subprocess.run(["ip", "link", "set", name, "alias", alias], check=True)
        for table in (paths.instance, "other"):
            subprocess.run(["nft", "add", "table", "inet", table], check=True)
        watch = Watch(tmp_path, paths, patience=0)
        found = [line for line in watch.leftovers() if line.startswith(("link", "firewall"))]
        watch.clean()
        return found, watch.leftovers()

    found, left = in_network_namespace(place, leave_and_look)
    assert found == ["link: br0", "link: cv-1", f"firewall: table inet {paths.instance}"]
    assert left == []


def test_nothing_left_is_nothing_found(engine_roots: Paths) -> None:
    make_private_directory(engine_roots.locks)


def test_the_root_file_system_is_complete(busybox_rootfs_tar: pathlib.Path) -> None:
    with tarfile.open(busybox_rootfs_tar) as tar:
        names = set(tar.getnames())
        assert tar.getmember("bin/sh").linkname == "busybox"
    assert {"bin/busybox", "bin/httpd", "etc/passwd", "etc/group", "www/index.html", "tmp"} <= names
