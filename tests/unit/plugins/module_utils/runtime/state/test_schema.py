# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every version of the state file, brought forward to the present one: nothing is lost on the way."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sqlite3
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.database import Database
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.schema import (
    APPLICATION_ID,
    MIGRATIONS,
)

FIRST = """
INSERT INTO images VALUES ('sha256:1', 'sha256:2', '{}', '2026-01-01');
INSERT INTO image_names VALUES ('docker.io/library/app:1', 'sha256:1', NULL);
INSERT INTO containers VALUES ('c1', 'web', 'sha256:1', '{}', '{}', '2026-01-01');
INSERT INTO containers VALUES ('c2', 'cut', 'sha256:1', '{"config": {"user"', '{}', '2026-01-01');
INSERT INTO containers VALUES ('c3', 'quiet', 'sha256:1', '{"config": {"user": "a"}}', '{}', '2026-01-01');
INSERT INTO containers
    VALUES ('c4', 'loud', 'sha256:1', '{"config": {"network_mode": "host"}}', '{}', '2026-01-01');
INSERT INTO volumes VALUES ('data', '{"labels": {"a": "b"}, "anonymous": false}', '2026-01-01');
INSERT INTO volume_uses VALUES ('data', 'c1');
"""


def write_version(path: str, version: int, content: str) -> None:
    """A state file as the engine of that version has left it."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        for script in MIGRATIONS[:version]:
            file.executescript(script)
        file.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};")
        file.executescript(content)


@pytest.fixture(params=[Database.open, Database.open_readonly], ids=["writer", "looker"])
def migrated(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Iterator[Database]:
    """A file of version 1 with a row in every table."""
    paths = Paths(str(tmp_path), str(tmp_path))
    write_version(paths.database, 1, FIRST)
    with contextlib.closing(request.param(paths)) as database:
        yield database


def rows(database: Database, query: str) -> list[tuple[t.Any, ...]]:
    return [tuple(row) for row in database.read().all(query)]


def test_what_was_there_is_still_there(migrated: Database) -> None:
    assert rows(migrated, "SELECT name, image_id FROM containers WHERE id = 'c1'") == [("web", "sha256:1")]
    assert rows(migrated, "SELECT volume, container_id FROM volume_uses") == [("data", "c1")]
    assert rows(migrated, "SELECT name, record FROM volumes") == [
        ("data", '{"labels": {"a": "b"}, "anonymous": false}')
    ]


def test_volumes_of_version_1_keep_what_they_have(migrated: Database) -> None:
    """Containers have used them: nothing is copied into them any more."""
    assert rows(migrated, "SELECT filled FROM volumes") == [(1,)]
    assert rows(migrated, "SELECT * FROM image_uses") == []


def test_containers_that_named_no_network_stay_without_one(migrated: Database) -> None:
    found = dict(rows(migrated, "SELECT name, config FROM containers"))
    assert json.loads(found["quiet"]) == {"config": {"user": "a", "network_mode": "none"}}
    assert json.loads(found["loud"]) == {"config": {"network_mode": "host"}}
    assert (found["web"], found["cut"]) == ("{}", '{"config": {"user"')
