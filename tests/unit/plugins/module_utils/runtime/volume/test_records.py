# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    StateError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.database import Database
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume import records

CONTAINER = "c" * 64


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> Paths:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    make_private_directory(paths.root)
    return paths


@pytest.fixture
def database(paths: Paths) -> t.Iterator[Database]:
    with contextlib.closing(Database.open(paths)) as database:
        yield database


def ensure(database: Database, paths: Paths, name: str) -> pathlib.Path:
    with database.transaction() as transaction:
        return pathlib.Path(records.ensure_volume(transaction, paths, name))


def remove(database: Database, paths: Paths, name: str) -> str | None:
    with database.transaction() as transaction:
        return records.remove_volume(transaction, paths, name)


def add_container(database: Database, *volumes: str) -> None:
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO containers VALUES (?, 'web', NULL, '{}', '{}', '')", (CONTAINER,))
        for name in volumes:
            records.use_volume(transaction, name, CONTAINER)
            records.use_volume(transaction, name, CONTAINER)


def test_a_volume_is_a_row_and_a_directory(database: Database, paths: Paths) -> None:
    umask = os.umask(0o077)
    with database.transaction() as transaction:
        data = records.ensure_volume(transaction, paths, "web.data-1", labels={"a": "b"}, anonymous=True)
    os.umask(umask)
    assert data == records.volume_data(paths, "web.data-1") == f"{paths.root}/volumes/web.data-1/_data"
    assert os.stat(data).st_mode & 0o777 == 0o755
    assert os.stat(os.path.dirname(data)).st_mode & 0o777 == 0o700
    found = records.find_volume(database.read(), "web.data-1")
    assert found is not None
    assert found[:3] == ("web.data-1", {"a": "b"}, True)
    assert found.created.endswith("Z")


def test_what_is_there_stays_as_it_is(database: Database, paths: Paths) -> None:
    data = ensure(database, paths, "data")
    (data / "file").write_text("precious")
    data.chmod(0o770)
    before = records.find_volume(database.read(), "data")
    assert ensure(database, paths, "data") == data
    assert records.find_volume(database.read(), "data") == before
    assert (data / "file").read_text() == "precious"
    assert data.stat().st_mode & 0o777 == 0o770


def test_listed_by_name(database: Database, paths: Paths) -> None:
    for name in ("b", "a", "C"):
        ensure(database, paths, name)
    assert [record.name for record in records.list_volumes(database.read())] == ["C", "a", "b"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/a", "-a", "_a", ".a", "a\n", "a b", "ä", "x" * 129]
)
def test_names_that_would_be_paths_are_refused(database: Database, paths: Paths, name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a name for a volume"):
        ensure(database, paths, name)
    with pytest.raises(InvalidInput):
        remove(database, paths, name)
    assert not os.path.exists(paths.volumes)


def test_a_used_volume_is_not_removed(database: Database, paths: Paths) -> None:
    data = ensure(database, paths, "data")
    ensure(database, paths, "other")
    add_container(database, "data")
    assert records.containers_using(database.read(), "data") == ["web"]
    assert [record.name for record in records.volumes_of(database.read(), CONTAINER)] == ["data"]
    with pytest.raises(Conflict, match="volume data is used by web") as caught:
        remove(database, paths, "data")
    assert caught.value.facts == {"containers": ["web"]}
    assert data.is_dir()


def test_a_use_ends_with_the_container(database: Database, paths: Paths) -> None:
    ensure(database, paths, "data")
    add_container(database, "data")
    with database.transaction() as transaction:
        transaction.execute("DELETE FROM containers WHERE id = ?", (CONTAINER,))
    assert records.containers_using(database.read(), "data") == []
    assert remove(database, paths, "data") is not None


def test_only_what_exists_can_be_used(database: Database, paths: Paths) -> None:
    with pytest.raises(Conflict):
        add_container(database, "missing")


def test_removal_takes_the_data_to_the_trash(database: Database, paths: Paths) -> None:
    (ensure(database, paths, "data") / "file").touch()
    trashed = remove(database, paths, "data")
    assert trashed is not None
    assert os.path.exists(os.path.join(trashed, "_data", "file"))
    assert os.listdir(paths.volumes) == []
    assert records.find_volume(database.read(), "data") is None
    with pytest.raises(NotFound, match="there is no volume data"):
        remove(database, paths, "data")


def test_a_new_volume_of_a_removed_name_is_empty(database: Database, paths: Paths) -> None:
    (ensure(database, paths, "data") / "file").touch()
    remove(database, paths, "data")
    assert list(ensure(database, paths, "data").iterdir()) == []


def test_after_a_crash_between_trash_and_commit_the_removal_goes_on(database: Database, paths: Paths) -> None:
    data = ensure(database, paths, "data")
    data.rmdir()
    data.parent.rmdir()
    assert remove(database, paths, "data") is None
    assert records.list_volumes(database.read()) == []


def test_after_a_crash_between_directory_and_commit_the_making_goes_on(
    database: Database, paths: Paths
) -> None:
    make_private_directory(os.path.join(paths.volumes, "data"))
    assert ensure(database, paths, "data").is_dir()


@pytest.mark.parametrize("garbage", ["", "{", "[]", "null", '"x"', "\x00"])
def test_a_damaged_record_is_said_and_can_be_removed(database: Database, paths: Paths, garbage: str) -> None:
    ensure(database, paths, "data")
    with database.transaction() as transaction:
        transaction.execute("UPDATE volumes SET record = ?", (garbage,))
    with pytest.raises(StateError, match=r"record of volume data .*is damaged"):
        records.list_volumes(database.read())
    assert remove(database, paths, "data") is not None


NFS = {"type": "nfs", "device": ":/srv", "o": "addr=192.0.2.1"}


def test_driver_options_are_part_of_the_record(database: Database, paths: Paths) -> None:
    with database.transaction() as transaction:
        records.ensure_volume(transaction, paths, "data", driver_options=NFS)
    found = records.find_volume(database.read(), "data")
    assert found is not None
    assert found.driver_options == NFS
    assert not found.filled


def test_other_driver_options_are_a_conflict(database: Database, paths: Paths) -> None:
    ensure(database, paths, "data")
    with database.transaction() as transaction:
        records.ensure_volume(transaction, paths, "data", driver_options={})
    with (
        pytest.raises(Conflict, match="volume data exists with other driver options"),
        database.transaction() as transaction,
    ):
        records.ensure_volume(transaction, paths, "data", driver_options=NFS)


def test_what_is_written_down_is_read_again(database: Database, paths: Paths) -> None:
    ensure(database, paths, "data")
    found = records.find_volume(database.read(), "data")
    assert found is not None
    changed = found._replace(labels={"a": "b"}, filled=True)
    with database.transaction() as transaction:
        records.save_volume(transaction, changed)
    assert records.find_volume(database.read(), "data") == changed


def test_a_new_volume_of_an_old_name_is_not_filled(database: Database, paths: Paths) -> None:
    ensure(database, paths, "data")
    with database.transaction() as transaction:
        found = records.find_volume(transaction, "data")
        assert found is not None
        records.save_volume(transaction, found._replace(filled=True))
        records.remove_volume(transaction, paths, "data")
        records.ensure_volume(transaction, paths, "data")
        again = records.find_volume(transaction, "data")
    assert again is not None
    assert not again.filled


def test_what_never_came_to_be_is_swept_away(database: Database, paths: Paths) -> None:
    ensure(database, paths, "data")
    for name in ("half", "almost/_data", "full/_data/precious"):
        make_private_directory(os.path.join(paths.volumes, name))
    with database.transaction() as transaction:
        records.sweep_volumes(transaction, paths)
    assert sorted(os.listdir(paths.volumes)) == ["data", "full"]


def test_nothing_to_sweep(database: Database, paths: Paths) -> None:
    with database.transaction() as transaction:
        records.sweep_volumes(transaction, paths)
    assert not os.path.exists(paths.volumes)
