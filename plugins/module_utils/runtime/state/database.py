# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The state file: one SQLite database in WAL mode, synced at every commit.

    <root>/state.db          0600
    <root>/state.db-wal      what is committed but not yet copied back; goes away with the last connection
    <root>/state.db-shm      index of the former, rebuilt when missing

Locks: SQLite's own (one writer at a time, readers never wait), and a flock on the directory while the file is
made or migrated. A crash at any instant leaves the last committed transaction; an empty file is one that
nobody got to fill.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading
import time
import typing as t
import urllib.parse

from ..errors import Conflict, CoracleError, StateError, StorageError, TimedOut
from ..paths import Paths
from .schema import APPLICATION_ID, MIGRATIONS

if t.TYPE_CHECKING:
    import sqlite3

_BUSY_TIMEOUT = 60.0  # seconds
_SMALLEST_PAGE = 512  # bytes
_SHARED_MEMORY = 32 << 10  # bytes of a `-shm` file, sqlite.org/walformat.html
_DAMAGED = "restore it from a backup, or move it away to start with an empty engine"


class Reader:
    """Queries, each on one consistent view of the state. Rows are `sqlite3.Row`: by index or column name."""

    def __init__(self, connection: sqlite3.Connection, turn: threading.RLock, path: str) -> None:
        self._connection = connection
        self._turn = turn
        self._path = path

    def one(self, sql: str, parameters: t.Sequence[t.Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._turn, _our_errors(self._path):
            return t.cast("sqlite3.Row | None", self._connection.execute(sql, parameters).fetchone())

    def all(self, sql: str, parameters: t.Sequence[t.Any] = ()) -> list[sqlite3.Row]:
        with self._turn, _our_errors(self._path):
            return self._connection.execute(sql, parameters).fetchall()


class Transaction(Reader):
    """The same with changes; what it reads is what it has written."""

    def execute(self, sql: str, parameters: t.Sequence[t.Any] = ()) -> int:
        """Run one statement; the number of rows it changed."""
        with self._turn, _our_errors(self._path):
            return self._connection.execute(sql, parameters).rowcount


class Database:
    """A connection to the state file. Threads may share it: their transactions take turns."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._turn = threading.RLock()

    @classmethod
    def open(cls, paths: Paths) -> Database:
        """The state file of an engine, made or migrated if need be; its directory must be there.

        Raises StateError when the file is damaged, foreign or written by a newer engine.
        """
        with _our_errors(paths.database):
            return cls(_open(paths.database), paths.database)

    @classmethod
    def open_readonly(cls, paths: Paths) -> Database:
        """The same for looking only: nothing is made or migrated on disk. Without a state file, an empty
        state.
        """
        with _our_errors(paths.database):
            return cls(_open_readonly(paths.database), paths.database)

    def close(self) -> None:
        with _our_errors(self._path):
            self._connection.close()

    def read(self) -> Reader:
        """For those who look: waits for nobody, holds up nobody."""
        return Reader(self._connection, self._turn, self._path)

    @contextlib.contextmanager
    def snapshot(self) -> t.Iterator[Reader]:
        """Several queries, also those of `read` in the block, on one view of the state. Holds up nobody."""
        with self._turn:
            if self._connection.in_transaction:
                yield self.read()
                return
            self._control("BEGIN")
            try:
                yield self.read()
            finally:
                self._control("ROLLBACK")

    @contextlib.contextmanager
    def transaction(self) -> t.Iterator[Transaction]:
        """Read and write; committed and on disk when the block is left, undone when it raises.

        Raises TimedOut when another process writes for a minute, Conflict when a value is not unique or still
        referenced.
        """
        with self._turn:
            if self._connection.in_transaction:
                raise RuntimeError("a transaction within a transaction")
            self._control("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection, self._turn, self._path)
                self._control("COMMIT")
            except BaseException:
                # A failed COMMIT may have ended the transaction already.
                if self._connection.in_transaction:
                    self._control("ROLLBACK")
                raise

    @contextlib.contextmanager
    def rehearsal(self) -> t.Iterator[Transaction]:
        """Read and write in a copy of the state that is forgotten afterwards. Holds up nobody."""
        with _our_errors(self._path):
            memory = _connect(":memory:")
        with contextlib.closing(memory):
            with self._turn, _our_errors(self._path):
                self._connection.backup(memory)
            yield Transaction(memory, threading.RLock(), self._path)

    def _control(self, sql: str) -> None:
        with _our_errors(self._path):
            self._connection.execute(sql)


# Opening


def _open(path: str) -> sqlite3.Connection:
    _ensure_private_file(path)
    connection = _connect(path)
    with _closing_on_error(connection):
        if _version(connection, path) < len(MIGRATIONS):
            with _directory_locked(os.path.dirname(path)):
                _migrate(connection, _version(connection, path), wal=True)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _open_readonly(path: str) -> sqlite3.Connection:
    if _found_size(path) == 0:
        return _copy_in_memory(None)
    connection = _connect(path)
    with _closing_on_error(connection):
        if _version(connection, path) < len(MIGRATIONS):
            with contextlib.closing(connection):
                return _copy_in_memory(connection, _version(connection, path))
        connection.execute("PRAGMA query_only = ON")
    return connection


def _copy_in_memory(source: sqlite3.Connection | None, version: int = 0) -> sqlite3.Connection:
    """The present schema without touching the disk: what an old state will look like once it is migrated."""
    memory = _connect(":memory:")
    if source is not None:
        source.backup(memory)
    _migrate(memory, version, wal=False)
    memory.execute("PRAGMA query_only = ON")
    return memory


def _ensure_private_file(path: str) -> None:
    """Make an empty file that only we can read; SQLite gives its mode on to -wal and -shm, against any umask.

    An existing file is not opened: closing it would drop the locks of all our connections, fcntl(2).
    """
    if not os.path.lexists(path):
        with contextlib.suppress(FileExistsError):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.fchmod(fd, 0o600)
            os.close(fd)
    _found_size(path)
    if stat.S_IMODE(os.stat(path).st_mode) != 0o600:
        os.chmod(path, 0o600)


def _found_size(path: str) -> int:
    """The size of the file, 0 when there is none; StateError for what cannot be a state file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(found.st_mode):
        raise StateError(f"{path} is not a regular file", _DAMAGED)
    if 0 < found.st_size < _SMALLEST_PAGE:
        # SQLite would take it for an empty one.
        raise StateError(f"{path} is damaged: {found.st_size} bytes are left of it", _DAMAGED)
    return found.st_size


def _connect(path: str) -> sqlite3.Connection:
    import sqlite3

    if path != ":memory:":
        _check_space(path)
    name = path if path == ":memory:" else f"file:{urllib.parse.quote(path)}?mode=rw"
    connection = sqlite3.connect(
        name, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, uri=path != ":memory:"
    )
    connection.row_factory = sqlite3.Row
    return connection


def _check_space(path: str) -> None:
    """SQLite maps `-shm` into memory, and who touches a page that the disk has no place for is killed by a
    signal, not told.
    """
    try:
        if os.stat(f"{path}-shm").st_size >= _SHARED_MEMORY:
            return
    except FileNotFoundError:
        pass
    disk = os.statvfs(os.path.dirname(path))
    if disk.f_bfree * disk.f_frsize < 4 * _SHARED_MEMORY:
        raise StorageError(
            f"the disk of {path} is full", "free some space or put the state directory on a larger disk"
        )


def _version(connection: sqlite3.Connection, path: str) -> int:
    """The schema version of a file that we can work with; StateError when we cannot."""
    connection.execute("BEGIN")  # one view of all three: somebody may be making the file
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("COMMIT")
    if application != APPLICATION_ID and (application or version or tables):
        raise StateError(f"{path} was not written by this engine", "choose another directory")
    if version < 0:
        raise StateError(f"{path} is damaged: schema {version}", _DAMAGED)
    if version > len(MIGRATIONS):
        raise StateError(
            f"{path} was written by a newer engine (schema {version}, this one knows {len(MIGRATIONS)})",
            "upgrade the collection coracle.engine",
        )
    return version


def _migrate(connection: sqlite3.Connection, version: int, *, wal: bool) -> None:
    """Each step in a transaction of its own: a crash leaves one of the versions on the way, never something
    between.
    """
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    for number in range(version, len(MIGRATIONS)):
        connection.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[number]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
        )


@contextlib.contextmanager
def _directory_locked(directory: str) -> t.Iterator[None]:
    """One maker or migrator at a time; its work, the file's name included, is on disk when the lock is
    released.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _BUSY_TIMEOUT
        while not _try_flock(fd):
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"{directory} is locked by another process that makes or migrates the state file"
                )
            time.sleep(0.01)
        yield
        os.fsync(fd)
    finally:
        os.close(fd)


def _try_flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Errors


@contextlib.contextmanager
def _closing_on_error(connection: sqlite3.Connection) -> t.Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


@contextlib.contextmanager
def _our_errors(path: str) -> t.Iterator[None]:
    import sqlite3

    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.IntegrityError as error:
        raise Conflict(str(error)) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _our_error(path, str(error)) from error


def _our_error(path: str, text: str) -> CoracleError:
    """SQLite's error codes are in its exceptions since Python 3.11 only: go by its texts, which have not
    changed in years.
    """
    if "locked" in text or text == "locking protocol":
        return TimedOut(f"{path} is being written by another process for {_BUSY_TIMEOUT:g} s")
    if text == "database or disk is full":
        return StorageError(f"{path}: {text}", "free some space or put the state directory on a larger disk")
    if text in ("disk I/O error", "attempt to write a readonly database", "unable to open database file"):
        return StorageError(f"{path}: {text}", "look at the kernel log and at how the disk is mounted")
    return StateError(f"{path} is damaged: {text}", _DAMAGED)
