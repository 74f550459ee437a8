# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Filling, mounting and removing volumes, killed or refused at many points, and cut off from power."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import observe
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.mounts import is_mounted
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_volume import (
    create_volume,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume import records
from ansible_collections.coracle.engine.tests import tars
from ansible_collections.coracle.engine.tests.integration.faults import verbs
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.faults.injection import (
    CONTENT,
    MOUNTING,
    NAMING,
    SYNCING,
)
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    cut_power_everywhere,
    fail_everywhere,
    kill_everywhere,
)
from ansible_collections.coracle.engine.tests.integration.volume.stock import add_image, seen

pytestmark = pytest.mark.slow

NAME = "web"
FILES = (
    tars.directory("srv"),
    tars.directory("srv/data", 0o750, uid=1000, gid=33),
    *(tars.file(f"srv/data/{number}", b"%d" % number * 3000, mode=0o640, uid=number) for number in range(3)),
    tars.directory("srv/data/sub", 0o1777),
    tars.file("srv/data/sub/deep", b"deep", uid=7),
    tars.symbolic_link("srv/data/link", "0"),
)
TARGET = "/srv/data"


class Storage(Trial):
    """A container with the volume `data`."""

    follow = False
    expected: t.ClassVar[dict[str, t.Any]] = {}

    def data(self) -> pathlib.Path:
        return pathlib.Path(self.paths.volumes, "data", "_data")

    def check_survived(self, engine: Engine) -> None:
        """What is said to be filled is."""
        found = records.find_volume(engine.database.read(), "data")
        if found is not None and found.filled and not found.driver_options:
            self.check_filled()

    def check_filled(self) -> None:
        content = seen(self.data())
        mode, uid, gid, _time, *rest = content["."]  # that of the last name that was made in it, after a kill
        content["."] = (mode, uid, gid, *rest)
        if not self.expected:
            self.expected.update(content)
        assert sorted(content) == sorted(self.expected)
        assert content == self.expected

    def go_back(self, engine: Engine) -> None:
        if find_container(engine.database, NAME):
            remove_container(engine, NAME, volumes=True)
        if records.find_volume(engine.database.read(), "data"):
            verbs.drop_volume(engine, "data")


class CreateAndFill(Storage):
    verb = staticmethod(verbs.create_with_volume)

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, NAME, TARGET)

    def do_again(self, engine: Engine) -> None:
        """A task would find it, and start it."""
        if find_container(engine.database, NAME) is None:
            verbs.create_with_volume(engine, NAME, TARGET)
        verbs.start_container(engine, NAME)

    def check_done(self, engine: Engine) -> None:
        self.check_filled()
        found = records.find_volume(engine.database.read(), "data")
        assert found is not None
        assert found.filled


class StartAndMount(Storage):
    verb = staticmethod(verbs.start_container)

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, NAME)

    def begin(self, engine: Engine) -> None:
        create_volume(engine, "data", {}, {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})
        verbs.create_with_volume(engine, NAME, TARGET)

    def check_done(self, engine: Engine) -> None:
        record = find_container(engine.database, NAME)
        assert record is not None
        assert observe(engine, record).status == "running"
        assert (self.data() / "sub" / "deep").read_text() == "deep"
        assert is_mounted(str(self.data()))


class StopAndUnmount(StartAndMount):
    verb = staticmethod(verbs.stop_container)

    def begin(self, engine: Engine) -> None:
        super().begin(engine)
        verbs.start_container(engine, NAME)

    def check_done(self, engine: Engine) -> None:
        record = find_container(engine.database, NAME)
        assert record is not None
        assert observe(engine, record).status == "exited"
        assert not is_mounted(str(self.data()))


def stock(paths: Paths, rootfs: pathlib.Path, work: pathlib.Path) -> None:
    """The image, and what the first start of any container leaves (the agent)."""
    with Engine(paths) as engine:
        add_image(engine, rootfs, work, "busybox:1", *FILES)
        verbs.create_container(engine, "first")
        verbs.start_container(engine, "first")
        verbs.remove_container(engine, "first")


@pytest.fixture
def stocked(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path) -> Paths:
    stock(engine_roots, busybox_rootfs_tar, tmp_path)
    return engine_roots


@pytest.mark.parametrize(("trial", "limit"), [(CreateAndFill, 20), (StartAndMount, 8), (StopAndUnmount, 5)])
def test_killed_anywhere(stocked: Paths, trial: t.Callable[[Paths], Trial], limit: int) -> None:
    kill_everywhere(trial(stocked), limit)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_the_disk_refuses(stocked: Paths, error: str) -> None:
    syscalls = SYNCING if error == "EIO" else (*NAMING, *CONTENT, "sendfile")
    fail_everywhere(CreateAndFill(stocked), error, syscalls, limit=8)


def test_the_kernel_refuses_a_mount(stocked: Paths) -> None:
    fail_everywhere(StartAndMount(stocked), "EPERM", MOUNTING, limit=3)


@pytest.mark.parametrize(("filesystem", "options"), [("ext4", "data=writeback"), ("xfs", "")])
def test_the_power_fails(
    engine_roots: Paths,
    busybox_rootfs_tar: pathlib.Path,
    tmp_path: pathlib.Path,
    filesystem: str,
    options: str,
) -> None:
    with Disk(pathlib.Path(engine_roots.root).parent, filesystem=filesystem, options=options) as disk:
        stock(disk.paths, busybox_rootfs_tar, tmp_path)
        os.sync()
        cut_power_everywhere(CreateAndFill(disk.paths), disk, limit=8)
