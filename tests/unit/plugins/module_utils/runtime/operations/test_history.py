# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import history
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths


@pytest.fixture
def engine(tmp_path: pathlib.Path) -> Engine:
    (tmp_path / "root").mkdir()
    return Engine(Paths(str(tmp_path / "root"), str(tmp_path / "run")))


def actions(engine: Engine) -> list[str]:
    return [event.action for event in history.read_history(engine.paths)]


def test_what_was_noted_is_read_back(engine: Engine) -> None:
    assert actions(engine) == []
    attributes = json.loads('{"exitCode": "3", "kind": "of its own", "name": "web"}')  # labels, perhaps
    history.note(engine, "container", "die", "abc", **attributes)
    [event] = history.read_history(engine.paths)
    assert (event.kind, event.action, event.id) == ("container", "die", "abc")
    assert event.attributes == attributes
    document = event.to_docker()
    assert document["Actor"] == {"ID": "abc", "Attributes": event.attributes}
    assert document["timeNano"] // 10**9 == document["time"] > 1_700_000_000


def test_the_files_are_bounded_and_followed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_LARGEST", 1000)
    follower = history.Follower(engine.paths)
    seen: list[str] = []
    for number in range(50):
        history.note(engine, "image", f"a{number}", "x")
        if number % 7 == 0:
            seen += [event.action for event in follower.new()]
    seen += [event.action for event in follower.new()]
    kept = actions(engine)
    assert kept == [f"a{number}" for number in range(50 - len(kept), 50)]
    assert sum(path.stat().st_size for path in pathlib.Path(engine.paths.root).iterdir()) <= 2000
    assert seen == [f"a{number}" for number in range(50)]


def test_what_is_no_event_is_passed_over(engine: Engine) -> None:
    history.note(engine, "volume", "create", "one")
    with open(f"{engine.paths.root}/events.log", "ab") as file:
        file.write(b'{"half\n\xff\xfe\n[1, 2]\n["t", "volume", "create", "x", 5]\n')
    history.note(engine, "volume", "create", "two")
    assert [event.id for event in history.read_history(engine.paths)] == ["one", "two"]


def test_nothing_depends_on_it(tmp_path: pathlib.Path) -> None:
    nowhere = Engine(Paths(str(tmp_path / "missing"), str(tmp_path / "run")))
    history.note(nowhere, "image", "pull", "x")
    follower = history.Follower(nowhere.paths)
    assert t.cast("list[t.Any]", follower.new()) == []
