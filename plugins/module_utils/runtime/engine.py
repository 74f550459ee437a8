# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One engine: two roots, their state file, and the programs it drives.

An engine is a place on disk, not a process. Opening one costs nothing and creates nothing: `records` looks
(and is empty where there is no engine yet), `database` makes the directories and the state file when
somebody first writes.
"""

from __future__ import annotations

import os
import typing as t

from .paths import DEFAULT_ROOT, DEFAULT_RUN_ROOT, Paths
from .state.database import Database
from .state.roots import check_roots, claim_roots

VERSION = "0.1.0"
"""Of the collection, as in galaxy.yml."""


class Engine:
    """`runtime` and `conmon` are program names or absolute paths; programs are looked for when they are
    needed.
    """

    def __init__(self, paths: Paths, runtime: str = "crun", conmon: str = "conmon") -> None:
        self.paths = paths
        self.runtime = runtime
        self.conmon = conmon
        self._database: Database | None = None
        self._view: Database | None = None
        self._view_is_empty = False
        self._warnings: list[str] = []

    @property
    def exists(self) -> bool:
        """Has anything ever been written here? False on a host that no task has changed yet."""
        return self._database is not None or os.path.exists(self.paths.database)

    @property
    def database(self) -> Database:
        """The state file, made with its directories if it is not there. For those who are about to write."""
        return self.make()

    def make(self) -> Database:
        """The same, by a name that says what happens: for whoever needs directories and locks first."""
        if self._database is None:
            check_roots(self.paths)
            self._make_directories()
            self._database = Database.open(self.paths)
        return self._database

    @property
    def records(self) -> Database:
        """The state file for those who only look: nothing is made, an engine that does not exist yet is
        empty.
        """
        if self._database is not None:
            return self._database
        if self._view is None or (self._view_is_empty and self.exists):
            check_roots(self.paths)
            self._view_is_empty = not self.exists
            self._view = Database.open_readonly(self.paths)
        return self._view

    def warn(self, *sentences: str) -> None:
        """What a verb has to say although it succeeds; each sentence is kept once."""
        self._warnings += [text for text in dict.fromkeys(sentences) if text not in self._warnings]

    def take_warnings(self) -> list[str]:
        """What was said since this was asked last."""
        taken, self._warnings = self._warnings, []
        return taken

    def close(self) -> None:
        for database in (self._database, self._view):
            if database is not None:
                database.close()
        self._database = self._view = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _make_directories(self) -> None:
        """Both roots and what every writer needs below them, all 0700; the run root is gone after each
        reboot.
        """
        from .linux.files import make_private_directory, spread_below

        paths = self.paths
        below = (paths.containers, paths.trash, paths.locks, paths.oci_runtime, paths.container_run(""))
        for directory in (paths.root, paths.run_root):
            make_private_directory(directory)
        claim_roots(paths)
        for directory in below:
            make_private_directory(directory)
        for directory in (paths.containers, paths.container_run("")):
            spread_below(directory)


def open_engine(root: str = DEFAULT_ROOT, run_root: str = DEFAULT_RUN_ROOT, **programs: t.Any) -> Engine:
    return Engine(Paths(root, run_root), **programs)
