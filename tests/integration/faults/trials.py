# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Put an operation to the test: kill it, lie to it, pull the plug, at many points, and see that nothing is
lost or left.

    class Pull(Trial):
        verb = staticmethod(verbs.pull)
        def check_survived(self, engine): …      after any interruption: looking works and shows no lie
        def check_done(self, engine): …          after success, and after the operation was done again
        def go_back(self, engine): …             remove what it made

    kill_everywhere(Pull(paths, "127.0.0.1:5000/app:1"), limit=40)
    fail_everywhere(Pull(…), "EIO", injection.SYNCING, limit=20)
    cut_power_everywhere(Pull(disk.paths, …), disk, limit=15)

Each of them, at each point: interrupt → check_survived → do it again → check_done → go_back and collect
garbage → files, mounts and control groups are those of the beginning. A failure names the point, as "the
3rd fsync".

`begin` prepares what the verb needs, once for each point. `follow = False` for verbs that leave a process
behind. Keep limits small: a point costs a Python start (30 ms), the operation under strace, and the operation
again.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine, open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.mounts import mounts_below
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.collect_garbage import (
    collect_garbage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.faults.injection import (
    STATE_CHANGING,
    Attempt,
    Operation,
    Point,
    sample,
)

_PATIENCE = 10.0


class Trial:
    """An operation with its before and after."""

    verb: t.Callable[..., t.Any]
    follow = True

    def __init__(self, paths: Paths, *arguments: t.Any) -> None:
        self.paths = paths
        self.arguments = arguments

    def begin(self, engine: Engine) -> None:
        """Prepare what the operation works on."""

    def check_survived(self, engine: Engine) -> None:
        """Whatever happened to the operation: what can be looked at is true."""

    def check_done(self, engine: Engine) -> None:
        raise NotImplementedError

    def go_back(self, engine: Engine) -> None:
        """Undo the operation and `begin`."""

    def operation(self, syscalls: t.Sequence[str] = STATE_CHANGING) -> Operation:
        return Operation(self.paths, self.verb, *self.arguments, syscalls=syscalls, follow=self.follow)

    def do_again(self, engine: Engine) -> None:
        self.verb(engine, *self.arguments)


def kill_everywhere(trial: Trial, limit: int, syscalls: t.Sequence[str] = STATE_CHANGING) -> None:
    """SIGKILL just before each of at most `limit` calls."""
    operation = trial.operation(syscalls)
    killed = 0
    for point, baseline in _points(trial, operation, limit):
        with _named(f"killed at {point}"):
            attempt = operation.kill_at(point)
            killed += attempt.killed
            _check_and_go_back(trial, attempt, baseline)
    assert killed > 0, "no point was reached"


def fail_everywhere(trial: Trial, error: str, syscalls: t.Sequence[str], limit: int) -> None:
    """Each of at most `limit` calls fails with `error`: the operation must say so, or have done its work all
    the same.
    """
    operation = trial.operation(syscalls)
    refused = 0
    for point, baseline in _points(trial, operation, limit):
        with _named(f"{error} from {point}"):
            attempt = operation.fail_at(point, error)
            refused += attempt.refused
            assert not attempt.killed
            _check_and_go_back(trial, attempt, baseline)
    assert refused > 0, f"nobody noticed {error}"


def cut_power_everywhere(
    trial: Trial, disk: Disk, limit: int, syscalls: t.Sequence[str] = STATE_CHANGING
) -> None:
    """Power fails just before each of at most `limit` calls, and right after success."""
    operation = trial.operation(syscalls)
    for point, baseline in _points(trial, operation, limit):
        with _named(f"power cut at {point}"):
            os.sync()  # the beginning is not at stake here
            attempt = operation.kill_at(point)
            disk.cut_power()
            _check_and_go_back(trial, attempt, baseline)
    with _named("power cut after success"), open_engine(*trial.paths) as engine:
        trial.begin(engine)
    attempt = operation.run()
    disk.cut_power()
    with _named("power cut after success"), open_engine(*trial.paths) as engine:
        assert attempt.done, attempt
        trial.check_survived(engine)
        trial.check_done(engine)
        trial.go_back(engine)


def _points(trial: Trial, operation: Operation, limit: int) -> t.Iterator[tuple[Point, set[str]]]:
    """Points of interruption, each with the operation begun, and the tree as it was before that."""
    with open_engine(*trial.paths) as engine:
        trial.begin(engine)
        points = operation.survey()
        trial.check_done(engine)
        trial.go_back(engine)
        collect_garbage(engine)
    assert points
    baseline = residue(trial.paths)
    for point in sample(points, limit):
        with open_engine(*trial.paths) as engine:
            trial.begin(engine)
        yield point, baseline


def _check_and_go_back(trial: Trial, attempt: Attempt, baseline: set[str]) -> None:
    assert attempt.done or attempt.refused or attempt.killed, attempt.output
    with open_engine(*trial.paths) as engine:
        trial.check_survived(engine)
        if not attempt.done:
            trial.do_again(engine)
        trial.check_done(engine)
        trial.go_back(engine)
        collect_garbage(engine)
    _wait_for(trial.paths, baseline)


def _wait_for(paths: Paths, baseline: set[str]) -> None:
    """What ends by itself, an exit handler say, has a moment to do so."""
    deadline = time.monotonic() + _PATIENCE
    while residue(paths) != baseline and time.monotonic() < deadline:
        time.sleep(0.02)
    difference = sorted(residue(paths) ^ baseline)
    assert not difference, difference


def residue(paths: Paths) -> set[str]:
    """Everything under the root but the state file, which grows, and the agent, which keeps old versions for
    a while; mounts; control groups.
    """
    found = set()
    for directory, names, files in os.walk(paths.root):
        found.update(os.path.relpath(os.path.join(directory, name), paths.root) for name in names + files)
    found = {name for name in found if not name.startswith(("state.db", "agent/"))}
    found.update(f"mount {target}" for target in mounts_below(paths.root))
    for hierarchy in cgroups.layout().hierarchies:
        for group, _names, _files in os.walk(os.path.join(hierarchy, paths.cgroup_parent)):
            found.add(f"cgroup {group}")
    return found


@contextlib.contextmanager
def _named(what: str) -> t.Iterator[None]:
    """Put `what` in front of any failure in the block."""
    try:
        yield
    except BaseException as error:
        raise AssertionError(f"{what}: {error}") from error
