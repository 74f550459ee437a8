# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    REMOVING,
    ContainerRecord,
    ContainerState,
    Exit,
    Replaces,
    Restart,
    Run,
    delete_container,
    find_container,
    insert_container,
    list_containers,
    list_hidden,
    save_config,
    save_name,
    save_state,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, StateError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import ProcessIdentity
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.database import Database

FULL = ContainerState(
    phase=REMOVING,
    stopped_by_user=True,
    restart_count=3,
    backoff=0.4,
    run=Run("nonce", "boot", "t1", "t2", ProcessIdentity(1, 2), ProcessIdentity(3, 4)),
    exit=Exit(137, "t0", "t1", True, "why"),
    restart=Restart(ProcessIdentity(5, 6), "boot", "t3"),
    replaces=Replaces("f" * 64, True),
    awaited_by=ProcessIdentity(7, 8),
    error="problem",
)


@pytest.fixture
def database(tmp_path: pathlib.Path) -> t.Iterator[Database]:
    database = Database.open(Paths(str(tmp_path), str(tmp_path)))
    yield database
    database.close()


def record(number: int, name: str) -> ContainerRecord:
    return ContainerRecord(
        id=f"{number:064x}",
        name=name,
        image_id="sha256:0",
        image_name="docker.io/library/busybox:1",
        image=ImageConfig(cmd=["sh"]),
        config=ContainerConfig(command=["true"]),
        created=f"2026-11-24T00:00:0{number}.000000000Z",
        ancestor="0" * 64,
    )


def insert(database: Database, *records: ContainerRecord) -> None:
    with database.transaction() as transaction:
        for one in records:
            insert_container(transaction, one)


@pytest.mark.parametrize("state", [ContainerState(), FULL, ContainerState(run=Run("nonce", "boot", "t1"))])
def test_state_survives_json(state: ContainerState) -> None:
    assert ContainerState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_unset_is_not_written_and_unknown_is_ignored() -> None:
    assert ContainerState().to_json() == {"phase": "ready"}
    run = {"nonce": "n", "boot_id": "b", "created_at": "c", "colour": "red"}
    state = ContainerState.from_json({"run": run, "mood": "good"})
    assert state.run == Run("n", "b", "c")


def test_found_by_name_or_full_id(database: Database) -> None:
    web = record(1, "web")
    named_like_an_id = record(2, web.id)
    insert(database, web, named_like_an_id)
    assert find_container(database, "web") == web
    assert find_container(database, web.id) == named_like_an_id, "an exact name comes first"
    assert find_container(database, named_like_an_id.id) == named_like_an_id
    for prefix in ("we", web.id[:12], "WEB", ""):
        assert find_container(database, prefix) is None


def test_list_is_in_the_order_of_creation(database: Database) -> None:
    insert(database, record(2, "a"), record(1, "b"), record(3, ".a.0123456789ab"))
    assert [one.name for one in list_containers(database)] == ["b", "a"]
    assert [one.name for one in list_containers(database, hidden=True)] == ["b", "a", ".a.0123456789ab"]
    assert [one.name for one in list_hidden(database)] == [".a.0123456789ab"]


def test_changes(database: Database) -> None:
    web = record(1, "web")
    insert(database, web)
    web.state, web.config, web.image_name = FULL, ContainerConfig(command=["false"]), "busybox:2"
    with database.transaction() as transaction:
        save_state(transaction, web)
        save_config(transaction, web)
        save_name(transaction, web.id, "shop")
    web.name = "shop"
    assert find_container(database, "shop") == web
    with database.transaction() as transaction:
        delete_container(transaction, web.id)
    assert list_containers(database) == []


def test_names_are_unique(database: Database) -> None:
    insert(database, record(1, "web"))
    with pytest.raises(Conflict):
        insert(database, record(2, "web"))
    assert len(list_containers(database)) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"image": {}}', '{"config": 1, "image": 2, "image_name": 3}']
)
def test_damaged_record_is_named(database: Database, text: str) -> None:
    insert(database, record(1, "web"))
    with database.transaction() as transaction:
        transaction.execute("UPDATE containers SET config = ?", (text,))
    with pytest.raises(StateError, match=r"the record of container web in state\.db is damaged"):
        find_container(database, "web")
