# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""container_info: one, several, all, none; and what looking must not do."""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_container import (
    wait_container,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import QUICK


def test_looking_at_a_bare_host_creates_nothing(bare_target: Target) -> None:
    everything, named = bare_target.run(bare_target.info(), bare_target.info(name="web", check=True))
    assert (everything["containers"], everything["exists"], everything["changed"]) == ([], True, False)
    assert (named["container"], named["exists"], named["missing"]) == (None, False, ["web"])
    assert not os.path.exists(bare_target.paths.root)
    assert not os.path.exists(bare_target.paths.run_root)


def test_one_several_all(target: Target) -> None:
    _one, _two, everything, one, several, none, by_id, _gone, _gone2 = target.run(
        target.container(image=target.image, **QUICK),
        target.container(name="db", image=target.image, state="present"),
        target.info(),
        target.info(name="web"),
        target.info(name=["db", "web", "nobody"]),
        target.info(name=[]),
        target.info(name="{{ '0' * 64 }}"),
        target.container(state="absent"),
        target.container(name="db", state="absent"),
    )
    assert [container["Name"] for container in everything["containers"]] == ["/web", "/db"]
    assert one["container"] == one["containers"][0] == everything["containers"][0]
    assert [container["Name"] for container in several["containers"]] == ["/db", "/web"]
    assert (several["missing"], several["exists"], several["container"]) == (["nobody"], False, None)
    assert none["containers"] == []
    assert by_id["exists"] is False


def test_the_state_is_true(target: Target) -> None:
    started = target.make(**QUICK)
    os.kill(started["container"]["State"]["Pid"], signal.SIGKILL)
    with Engine(target.paths) as engine:
        assert wait_container(engine, "web") == 137
    info, _gone = target.run(target.info(name="web"), target.container(state="absent"))
    state = info["container"]["State"]
    assert (state["Status"], state["ExitCode"], state["Running"], state["Pid"]) == ("exited", 137, False, 0)
    assert state["StartedAt"] < state["FinishedAt"]


def test_looking_waits_for_no_lock(target: Target) -> None:
    target.make(**QUICK)
    with Engine(target.paths) as engine, contextlib.ExitStack() as held:
        record: t.Any = find_container(engine.records, "web")
        held.enter_context(lock(target.paths, "content"))
        held.enter_context(lock(target.paths, f"container-{record.id}"))
        held.enter_context(lock(target.paths, "names"))
        held.enter_context(engine.database.transaction()).execute("UPDATE containers SET name = name")
        [info] = target.run(target.info(name="web"))
    assert info["container"]["State"]["Status"] == "running"
    target.remove()
