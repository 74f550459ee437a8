# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What everything stands on: the state file, atomic writes, volumes. Killed, lied to, cut off from power, out
of space.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine, open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import StorageError, doing
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume import records
from ansible_collections.coracle.engine.tests.integration.faults import verbs
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.faults.injection import (
    STATE_CHANGING,
    SYNCING,
    Operation,
    sample,
)
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    cut_power_everywhere,
    fail_everywhere,
    kill_everywhere,
)

PAIRS = 4
OLD, NEW = "old " * 3000, "new " * 5000


class WriteFile(Trial):
    verb = staticmethod(verbs.write_file)

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, "file", NEW)

    def begin(self, engine: Engine) -> None:
        verbs.write_file(engine, "file", OLD)

    def _content(self, engine: Engine) -> str:
        return pathlib.Path(engine.paths.root, "file").read_text()

    def check_survived(self, engine: Engine) -> None:
        assert self._content(engine) in (OLD, NEW)

    def check_done(self, engine: Engine) -> None:
        assert self._content(engine) == NEW
        assert ".file.new" not in os.listdir(engine.paths.root)

    def go_back(self, engine: Engine) -> None:
        os.unlink(os.path.join(engine.paths.root, "file"))


class AddPairs(Trial):
    verb = staticmethod(verbs.add_pairs)

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, PAIRS)

    def _names(self, engine: Engine) -> list[str]:
        return [record.name for record in records.list_volumes(engine.database.read())]

    def check_survived(self, engine: Engine) -> None:
        names = self._names(engine)
        assert names == [f"pair-{number}-{half}" for number in range(len(names) // 2) for half in "ab"]

    def check_done(self, engine: Engine) -> None:
        assert len(self._names(engine)) == 2 * PAIRS

    def go_back(self, engine: Engine) -> None:
        with engine.database.transaction() as transaction:
            transaction.execute("DELETE FROM volumes")


class MakeVolume(Trial):
    verb = staticmethod(verbs.make_volume)

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, "data")

    def check_survived(self, engine: Engine) -> None:
        for record in records.list_volumes(engine.database.read()):
            assert os.path.isdir(records.volume_data(engine.paths, record.name))

    def check_done(self, engine: Engine) -> None:
        assert [record.name for record in records.list_volumes(engine.database.read())] == ["data"]
        data = records.volume_data(engine.paths, "data")
        assert os.stat(data).st_mode & 0o777 == 0o755
        assert os.listdir(data) == []

    def go_back(self, engine: Engine) -> None:
        verbs.drop_volume(engine, "data")


class DropVolume(Trial):
    verb = staticmethod(verbs.drop_volume)

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, "data")

    def begin(self, engine: Engine) -> None:
        verbs.make_volume(engine, "data")
        data = records.volume_data(engine.paths, "data")
        for name in ("a", "b/c"):
            os.makedirs(os.path.join(data, name))

    def do_again(self, engine: Engine) -> None:
        if records.find_volume(engine.database.read(), "data"):
            verbs.drop_volume(engine, "data")

    def check_done(self, engine: Engine) -> None:
        assert records.list_volumes(engine.database.read()) == []
        assert os.listdir(engine.paths.volumes) == []


TRIALS = (WriteFile, AddPairs, MakeVolume, DropVolume)


@pytest.mark.parametrize("trial", TRIALS)
def test_killed_at_every_step(engine_roots: Paths, trial: t.Callable[[Paths], Trial]) -> None:
    kill_everywhere(trial(engine_roots), limit=25)


def test_killed_while_the_engine_is_made(engine_roots: Paths) -> None:
    """From an empty disk, so at every step of making directories, the state file and its first schema."""
    operation = Operation(engine_roots, verbs.add_pairs, 1)
    for point in sample(operation.survey(), 30):
        remove_tree(engine_roots.root)
        remove_tree(engine_roots.run_root)
        attempt = operation.kill_at(point)
        assert attempt.killed, point
        with open_engine(*engine_roots) as engine:
            records.list_volumes(engine.records.read())
        assert operation.run().done, point
        with open_engine(*engine_roots) as engine:
            assert len(records.list_volumes(engine.database.read())) == 2, point
        assert os.listdir(engine_roots.root).count("state.db") == 1


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_the_disk_refuses_at_every_step(
    engine_roots: Paths, trial: t.Callable[[Paths], Trial], error: str
) -> None:
    syscalls = SYNCING if error == "EIO" else STATE_CHANGING
    fail_everywhere(trial(engine_roots), error, syscalls, limit=12)


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize(
    ("filesystem", "options"), [("ext4", ""), ("ext4", "data=writeback"), ("xfs", "")], ids=str
)
def test_the_power_fails_at_every_step(
    engine_roots: Paths, trial: t.Callable[[Paths], Trial], filesystem: str, options: str
) -> None:
    directory = pathlib.Path(engine_roots.root).parent
    with Disk(directory, filesystem=filesystem, options=options) as disk:
        cut_power_everywhere(trial(disk.paths), disk, limit=8)


def test_a_power_cut_loses_what_was_not_synced(engine_roots: Paths) -> None:
    """The instrument itself: without a sync, a cut does lose data."""
    with Disk(pathlib.Path(engine_roots.root).parent) as disk:
        kept, lost = disk.mount_point / "kept", disk.mount_point / "lost"
        kept.write_text("x" * 10_000)
        os.sync()
        lost.write_text("x" * 10_000)
        disk.cut_power()
        assert kept.read_text() == "x" * 10_000
        assert not lost.exists()


def write_for_ever(file: t.BinaryIO) -> None:
    while True:
        file.write(bytes(4096))


def test_a_full_disk_changes_nothing_and_is_said(engine_roots: Paths) -> None:
    with Disk(pathlib.Path(engine_roots.root).parent, megabytes=16) as disk:
        make_private_directory(disk.paths.root)
        with open_engine(*disk.paths) as engine:
            verbs.write_file(engine, "file", OLD)
            verbs.add_pairs(engine, 1)
            ballast = disk.mount_point / "ballast"
            with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
                write_for_ever(t.cast(t.BinaryIO, file))
            with pytest.raises(StorageError, match="free some space"), doing("write"):
                verbs.write_file(engine, "file", NEW)
            assert pathlib.Path(engine.paths.root, "file").read_text() == OLD
            with pytest.raises(StorageError, match="free some space"):
                verbs.add_pairs(engine, 500)
            ballast.unlink()
            verbs.write_file(engine, "file", NEW)
            verbs.add_pairs(engine, 2)
            assert len(records.list_volumes(engine.database.read())) >= 4
