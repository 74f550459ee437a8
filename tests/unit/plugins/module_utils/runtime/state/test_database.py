# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import contextlib
import os
import pathlib
import random
import signal
import sqlite3
import threading
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    CoracleError,
    StateError,
    TimedOut,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state import database as module
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.database import (
    Database,
    Transaction,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.schema import MIGRATIONS

INSERT = "INSERT INTO volumes (name, record, created) VALUES (?, '{}', '')"
COUNT = "SELECT count(*) FROM volumes"


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> Paths:
    (tmp_path / "root").mkdir(0o700)
    return Paths(str(tmp_path / "root"), str(tmp_path / "run"))


@pytest.fixture
def database(paths: Paths) -> t.Iterator[Database]:
    with contextlib.closing(Database.open(paths)) as database:
        yield database


def count(database: Database) -> int:
    row = database.read().one(COUNT)
    assert row is not None
    return t.cast(int, row[0])


def insert(paths: Paths, name: str) -> None:
    with contextlib.closing(Database.open(paths)) as database, database.transaction() as transaction:
        transaction.execute(INSERT, (name,))


# What a transaction promises


def test_written_and_read_by_column_name(database: Database) -> None:
    with database.transaction() as transaction:
        assert transaction.execute(INSERT, ("a",)) == 1
        assert [row["name"] for row in transaction.all("SELECT name FROM volumes")] == ["a"]
    row = database.read().one("SELECT name, record FROM volumes")
    assert row is not None
    assert (row["name"], row["record"]) == ("a", "{}")
    assert database.read().one("SELECT name FROM volumes WHERE name = 'b'") is None


def test_a_rehearsal_leaves_nothing(database: Database) -> None:
    with database.transaction() as transaction:
        transaction.execute(INSERT, ("a",))
    with database.rehearsal() as rehearsed, database.transaction() as transaction:
        rehearsed.execute(INSERT, ("b",))
        transaction.execute(INSERT, ("c",))
        assert [row["name"] for row in rehearsed.all("SELECT name FROM volumes")] == ["a", "b"]
    assert [row["name"] for row in database.read().all("SELECT name FROM volumes")] == ["a", "c"]


def test_undone_when_the_block_fails(database: Database) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.execute(INSERT, ("a",))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.transaction() as transaction:
        fail(transaction)
    assert count(database) == 0
    with database.transaction() as transaction:
        transaction.execute(INSERT, ("b",))
    assert count(database) == 1


def test_what_must_be_unique_or_referenced_is_a_conflict(database: Database) -> None:
    with database.transaction() as transaction:
        transaction.execute(INSERT, ("a",))
    with (
        pytest.raises(Conflict, match=r"UNIQUE constraint failed: volumes\.name"),
        database.transaction() as again,
    ):
        again.execute(INSERT, ("a",))
    with pytest.raises(Conflict, match="FOREIGN KEY"), database.transaction() as transaction:
        transaction.execute("INSERT INTO volume_uses VALUES ('a', 'nobody')")
    assert count(database) == 1


def test_no_transaction_within_a_transaction(database: Database) -> None:
    with database.transaction(), pytest.raises(RuntimeError), database.transaction():
        pass


def test_threads_share_a_connection_by_turns(database: Database) -> None:
    def work(letter: str) -> None:
        for number in range(20):
            with database.transaction() as transaction:
                before = transaction.one(COUNT)
                transaction.execute(INSERT, (f"{letter}{number}",))
                after = transaction.one(COUNT)
                assert before is not None
                assert after is not None
                assert after[0] == before[0] + 1

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(database) == 80


def test_readers_do_not_wait_for_a_writer(paths: Paths, database: Database) -> None:
    with contextlib.closing(Database.open(paths)) as other, database.transaction() as transaction:
        transaction.execute(INSERT, ("a",))
        assert count(other) == 0
    with contextlib.closing(Database.open_readonly(paths)) as looker:
        assert count(looker) == 1


def test_a_writer_waits_for_a_bounded_time(
    paths: Paths, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUSY_TIMEOUT", 0.05)
    with (
        contextlib.closing(Database.open(paths)) as other,
        database.transaction(),
        pytest.raises(TimedOut, match="is being written by another process"),
        other.transaction(),
    ):
        pass


def test_what_was_committed_survives_a_kill(paths: Paths) -> None:
    pid = os.fork()
    if pid == 0:
        database = Database.open(paths)
        with database.transaction() as transaction:
            transaction.execute(INSERT, ("committed",))
        with database.transaction() as transaction:
            transaction.execute(INSERT, ("not committed",))
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    with contextlib.closing(Database.open(paths)) as database:
        assert [row["name"] for row in database.read().all("SELECT name FROM volumes")] == ["committed"]


# Opening


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_private_whatever_the_umask(paths: Paths, umask: int) -> None:
    before = os.umask(umask)
    with contextlib.closing(Database.open(paths)) as database:
        with database.transaction() as transaction:
            transaction.execute(INSERT, ("a",))
        modes = {
            name: os.stat(os.path.join(paths.root, name)).st_mode & 0o777 for name in os.listdir(paths.root)
        }
    os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert os.listdir(paths.root) == ["state.db"]


def test_an_open_file_is_closed(paths: Paths) -> None:
    insert(paths, "a")
    os.chmod(paths.database, 0o644)
    insert(paths, "b")
    assert os.stat(paths.database).st_mode & 0o777 == 0o600


def test_commits_are_synced(database: Database) -> None:
    settings = {
        name: tuple(database.read().all(f"PRAGMA {name}")[0]) for name in ("journal_mode", "synchronous")
    }
    assert settings == {"journal_mode": ("wal",), "synchronous": (2,)}


def test_fifty_processes_open_and_write_at_once(paths: Paths) -> None:
    """From nothing: one of them makes the file, all of them get their row in."""
    gate_reader, gate_writer = os.pipe()
    children = []
    for number in range(50):
        pid = os.fork()
        if pid == 0:
            try:
                os.close(gate_writer)
                os.read(gate_reader, 1)
                insert(paths, f"v{number}")
                os._exit(0)
            finally:
                os._exit(1)
        children.append(pid)
    os.close(gate_reader)
    os.close(gate_writer)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 50
    with contextlib.closing(Database.open(paths)) as database:
        assert count(database) == 50


def test_a_directory_that_is_missing_is_said(paths: Paths) -> None:
    os.rmdir(paths.root)
    with pytest.raises(FileNotFoundError):
        Database.open(paths)


def test_looking_makes_nothing(paths: Paths) -> None:
    with contextlib.closing(Database.open_readonly(paths)) as database:
        assert count(database) == 0
    assert os.listdir(paths.root) == []
    os.rmdir(paths.root)
    with contextlib.closing(Database.open_readonly(paths)) as database:
        assert count(database) == 0
    assert not os.path.exists(paths.root)


def test_looking_changes_nothing(paths: Paths) -> None:
    insert(paths, "a")
    before = pathlib.Path(paths.database).read_bytes()
    with contextlib.closing(Database.open_readonly(paths)) as database:
        with pytest.raises(CoracleError), database.transaction() as transaction:
            transaction.execute(INSERT, ("b",))
        assert count(database) == 1
    assert pathlib.Path(paths.database).read_bytes() == before
    assert os.listdir(paths.root) == ["state.db"]


# Versions


NEXT = "ALTER TABLE volumes ADD COLUMN colour TEXT; UPDATE volumes SET colour = 'blue';"
COLOURS = "SELECT colour FROM volumes"


def test_an_older_file_is_brought_forward(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(paths, "a")
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, NEXT))
    with contextlib.closing(Database.open(paths)) as database:
        assert [row[0] for row in database.read().all(COLOURS)] == ["blue"]
        assert tuple(database.read().all("PRAGMA user_version")[0]) == (len(MIGRATIONS) + 1,)


def test_a_looker_sees_the_future_shape_of_an_older_file(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(paths, "a")
    before = pathlib.Path(paths.database).read_bytes()
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, NEXT))
    with contextlib.closing(Database.open_readonly(paths)) as database:
        assert [row[0] for row in database.read().all(COLOURS)] == ["blue"]
    assert pathlib.Path(paths.database).read_bytes() == before


def test_a_migration_that_fails_changes_nothing(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(paths, "a")
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, NEXT + "INSERT INTO no_such_table VALUES (1);"))
    with pytest.raises(StateError):
        Database.open(paths)
    monkeypatch.undo()
    with contextlib.closing(Database.open(paths)) as database:
        assert count(database) == 1
        columns = [row["name"] for row in database.read().all("PRAGMA table_info(volumes)")]
        assert "name" in columns
        assert "colour" not in columns


def test_a_newer_file_is_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, NEXT, "SELECT 1;"))
    insert(paths, "a")
    monkeypatch.undo()
    known = len(MIGRATIONS)
    for open_it in (Database.open, Database.open_readonly):
        with pytest.raises(StateError) as caught:
            open_it(paths)
        assert f"was written by a newer engine (schema {known + 2}, this one knows {known})" in str(
            caught.value
        )
        assert "upgrade" in caught.value.hint


# Damage


def test_a_file_of_another_program_is_left_alone(paths: Paths) -> None:
    with contextlib.closing(sqlite3.connect(paths.database)) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = pathlib.Path(paths.database).read_bytes()
    with pytest.raises(StateError, match="was not written by this engine"):
        Database.open(paths)
    assert pathlib.Path(paths.database).read_bytes() == before


def test_an_empty_file_is_one_that_nobody_got_to_fill(paths: Paths) -> None:
    pathlib.Path(paths.database).touch()
    with contextlib.closing(Database.open_readonly(paths)) as database:
        assert count(database) == 0
    insert(paths, "a")


@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
def test_something_else_in_its_place(paths: Paths, kind: str) -> None:
    if kind == "directory":
        os.mkdir(paths.database)
    elif kind == "fifo":
        os.mkfifo(paths.database)
    else:
        os.symlink("/nowhere", paths.database)
    for open_it in (Database.open, Database.open_readonly):
        with pytest.raises(StateError, match="is not a regular file"):
            open_it(paths)


def use(paths: Paths) -> None:
    """Everything a task does with the state: open, look at all of it, write, close."""
    with contextlib.closing(Database.open_readonly(paths)) as database:
        database.read().all("SELECT * FROM volumes")
    with contextlib.closing(Database.open(paths)) as database:
        database.read().all("SELECT * FROM volumes")
        with database.transaction() as transaction:
            transaction.execute("REPLACE INTO volumes (name, record, created) VALUES ('z', '{}', '')")


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = tmp_path_factory.mktemp("healthy")
    paths = Paths(str(root), str(root))
    with contextlib.closing(Database.open(paths)) as database, database.transaction() as transaction:
        for number in range(200):
            transaction.execute(INSERT, (f"volume-{number}-{'x' * 100}",))
    return pathlib.Path(paths.database).read_bytes()


@pytest.mark.parametrize("size", [1, 15, 16, 99, 100, 511, 512, 4095, 4096, 5000, 8192, 40_000])
def test_a_truncated_file_is_damaged_and_never_a_traceback(paths: Paths, healthy: bytes, size: int) -> None:
    pathlib.Path(paths.database).write_bytes(healthy[:size])
    with pytest.raises(StateError) as caught:
        use(paths)
    assert paths.database in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("seed", [*range(40), 1132, 1618])
def test_garbage_in_a_file_is_damaged_or_harmless(paths: Paths, healthy: bytes, seed: int) -> None:
    dice = random.Random(seed)
    content = bytearray(healthy)
    for _round in range(dice.choice([1, 10, 1000])):
        content[dice.randrange(len(content))] = dice.randrange(256)
    pathlib.Path(paths.database).write_bytes(content)
    with contextlib.suppress(StateError, Conflict):
        use(paths)


def test_nothing_but_garbage(paths: Paths) -> None:
    pathlib.Path(paths.database).write_bytes(random.Random(0).randbytes(20_000))
    with pytest.raises(StateError, match=r"is damaged: file is not a database .restore it from a backup"):
        use(paths)


def test_garbage_in_the_log_is_ignored(paths: Paths) -> None:
    """A torn write at the end of the -wal file: the checksums end it before."""
    insert(paths, "a")
    pathlib.Path(paths.database + "-wal").write_bytes(random.Random(0).randbytes(20_000))
    with contextlib.closing(Database.open(paths)) as database:
        assert count(database) == 1
