# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of all integration tests: an engine's directories with the assertion that nothing is left, and a
root file system.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, syscalls
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.leftovers import Watch
from ansible_collections.coracle.engine.tests.integration.rootfs import write_busybox_rootfs

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
def engine_roots(request: pytest.FixtureRequest) -> t.Iterator[Paths]:
    """Both roots of an engine of one's own, on a disk (not tmpfs). When the test has passed, nothing may be
    left.
    """
    base = pathlib.Path(tempfile.mkdtemp(prefix="coracle-test-", dir="/var/tmp"))
    paths = Paths(str(base / "root"), str(base / "run"))
    watch = Watch(base, paths)
    yield paths
    leftovers = [] if request.node.stash.get(_FAILED, False) else watch.leftovers()
    watch.clean()
    assert leftovers == []


@pytest.fixture(scope="session")
def busybox_rootfs_tar(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An uncompressed tar of a small root file system; see `rootfs.py`."""
    path = tmp_path_factory.mktemp("rootfs") / "busybox.tar"
    write_busybox_rootfs(path)
    return path


@pytest.fixture(scope="session", autouse=True)
def _controllers_in_one_place() -> None:
    """As the role `host` does: crun refuses a hybrid host on which a controller (hugetlb) is left on v2."""
    if os.geteuid() != 0:
        return
    layout = cgroups.layout()
    if layout.mode != "hybrid" or layout.unified is None:
        return
    for controller, place in layout.controllers.items():
        if place == layout.unified:
            target = os.path.join(os.path.dirname(layout.unified), controller)
            os.makedirs(target, exist_ok=True)
            syscalls.mount(controller, target, "cgroup", 0, controller)
