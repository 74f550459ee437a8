# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The life of a container, each verb killed or refused by the kernel at many points.

The verb's first thread is the one that is killed: what it had started goes on without it, as on a real host.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    find_container,
    list_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import observe
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import store_image, wait_until
from ansible_collections.coracle.engine.tests.integration.faults import verbs
from ansible_collections.coracle.engine.tests.integration.faults.injection import (
    MOUNTING,
    NAMING,
    STARTING,
    STATE_CHANGING,
    SYNCING,
)
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    fail_everywhere,
    kill_everywhere,
)

pytestmark = pytest.mark.slow

NAME = "web"
ALL = (*STATE_CHANGING, *STARTING, "pidfd_send_signal")


class Verb(Trial):
    """One verb on the container `web`, which runs `sleep`."""

    follow = False

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, NAME)

    def record(self, engine: Engine) -> ContainerRecord | None:
        return find_container(engine.database, NAME)

    def status(self, engine: Engine) -> str:
        record = self.record(engine)
        return observe(engine, record).status if record else "absent"

    def processes(self, engine: Engine) -> list[int]:
        record = self.record(engine)
        return cgroups.processes(f"{engine.paths.cgroup_parent}/{record.id}") if record else []

    def check_survived(self, engine: Engine) -> None:
        """Only what runs is said to run."""
        assert len(list_containers(engine.database)) <= 1
        if self.status(engine) == "running":
            assert len(self.processes(engine)) == 1

    def check_running(self, engine: Engine) -> None:
        assert self.status(engine) == "running"
        assert len(self.processes(engine)) == 1
        # The monitor of an attempt that was given up has an exit handler to wait for.
        wait_until(lambda: monitors(engine.paths), lambda found: len(found) == 1)

    def check_at_rest(self, engine: Engine, status: str) -> None:
        assert self.status(engine) == status
        assert self.processes(engine) == []

    def go_back(self, engine: Engine) -> None:
        if self.record(engine):
            verbs.remove_container(engine, NAME)


class Create(Verb):
    verb = staticmethod(verbs.create_container)

    def do_again(self, engine: Engine) -> None:
        if self.record(engine) is None:
            verbs.create_container(engine, NAME)

    def check_done(self, engine: Engine) -> None:
        self.check_at_rest(engine, "created")


class Start(Verb):
    verb = staticmethod(verbs.start_container)

    def begin(self, engine: Engine) -> None:
        verbs.create_container(engine, NAME)

    def check_done(self, engine: Engine) -> None:
        self.check_running(engine)


class Stop(Start):
    verb = staticmethod(verbs.stop_container)

    def begin(self, engine: Engine) -> None:
        super().begin(engine)
        verbs.start_container(engine, NAME)

    def check_done(self, engine: Engine) -> None:
        self.check_at_rest(engine, "exited")


class Remove(Stop):
    verb = staticmethod(verbs.remove_container)

    def do_again(self, engine: Engine) -> None:
        self.go_back(engine)

    def check_done(self, engine: Engine) -> None:
        assert self.status(engine) == "absent"


class StartButRemove(Start):
    """A start is interrupted, and then the user wants the container gone: from every state on the way."""

    def do_again(self, engine: Engine) -> None:
        self.go_back(engine)

    def check_done(self, engine: Engine) -> None:
        """Removed, or running where the start was not interrupted."""


def monitors(paths: Paths) -> list[str]:
    """Command lines of the conmons of this engine."""
    lines = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                line = pathlib.Path("/proc", name, "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "conmon" in line.partition("\0")[0] and paths.root in line:
                lines.append(line)
    return lines


@pytest.fixture
def paths(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path) -> Paths:
    store_image(engine_roots, busybox_rootfs_tar)
    return engine_roots


@pytest.mark.parametrize(
    ("trial", "limit"), [(Create, 6), (Start, 14), (Stop, 8), (Remove, 8), (StartButRemove, 8)]
)
def test_killed_anywhere(paths: Paths, trial: t.Callable[[Paths], Trial], limit: int) -> None:
    kill_everywhere(trial(paths), limit, ALL)


@pytest.mark.parametrize(("trial", "limit"), [(Create, 4), (Start, 8), (Remove, 5)])
def test_the_disk_is_full(paths: Paths, trial: t.Callable[[Paths], Trial], limit: int) -> None:
    fail_everywhere(trial(paths), "ENOSPC", (*NAMING, *SYNCING, "pwrite64", "write"), limit)


def test_the_kernel_refuses_a_mount(paths: Paths) -> None:
    fail_everywhere(Start(paths), "EPERM", MOUNTING, limit=3)
