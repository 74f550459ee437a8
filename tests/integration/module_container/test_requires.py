# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers that are started before others (by tasks, by verbs, at boot), and who hears of it: set, again,
changed, removed.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    find_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, NotFound
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.restore_containers import (
    restore_containers,
    shut_down_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.start_container import (
    start_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
)

Options = dict[str, t.Any]


def recorded(engine: Engine, name: str) -> ContainerRecord:
    record = find_container(engine.records, name)
    assert record is not None
    return record


def runs(engine: Engine, name: str) -> bool:
    return recorded(engine, name).state.run is not None


def ended(engine: Engine, name: str) -> str:
    end = recorded(engine, name).state.exit
    return end.finished_at if end else ""


def test_started_before(target: Target) -> None:
    declared: Options = {"image": target.image, **QUICK}
    for name in ("db", "cache"):
        target.make(name=name, state="present", **QUICK)
    _planned, done = check_do_again(target, **declared, requires=["cache", "db"])
    assert done["actions"] == [
        "create container web from " + target.image,
        "start container cache: container web requires it",
        "start container db: container web requires it",
        "start container web",
    ]
    _planned, fewer = check_do_again(target, **declared, requires=["db"])
    assert fewer["actions"] == ["update container web: requires: cache is no longer wanted"]
    _planned, none = check_do_again(target, **declared)
    assert none["container"]["State"]["Pid"] == done["container"]["State"]["Pid"]
    for name in ("web", "db", "cache"):
        target.remove(name)


def test_one_that_is_not_there(target: Target) -> None:
    declared: Options = {"image": target.image, "requires": ["db"], **QUICK}
    planned, refused, itself, seen = target.run(
        target.container(check=True, **declared),
        target.container(**declared),
        target.container(**{**declared, "requires": ["web"]}),
        target.info(),
    )
    sentence = "requires: there is no container db (make it first, or take it out of requires)"
    assert [warning for warning in planned["warnings"] if sentence in warning]
    assert refused["msg"] == f"container web: {sentence}"
    assert itself["msg"] == "container web: requires names the container itself"
    assert seen["containers"] == []


def test_a_project_starts_them_in_order(target: Target) -> None:
    web: Options = {"name": "web", "image": target.image, "requires": ["db"], "network_mode": "none", **QUICK}
    db: Options = {"name": "db", "image": target.image, "network_mode": "none", **QUICK}
    task = {
        "coracle.engine.containers": {
            "containers": [web, db],
            "insecure_registries": [target.registry],
            "root": target.paths.root,
            "run_root": target.paths.run_root,
        }
    }
    done, again = target.run(task, task)
    assert not done.get("failed"), done
    assert again["changed"] is False
    with Engine(target.paths) as engine:
        first, second = (recorded(engine, name).state.run for name in ("db", "web"))
    assert first is not None
    assert second is not None
    assert first.started_at < second.created_at
    for name in ("web", "db"):
        target.remove(name)


def test_verbs_and_the_boot(target: Target) -> None:
    """`web` was made first: the order of creation would be the wrong one."""
    target.make(state="present", restart_policy="always", **QUICK)
    target.make(name="db", state="present", **QUICK)
    target.make(state="present", restart_policy="always", requires=["db"], **QUICK)
    with Engine(target.paths) as engine:
        start_container(engine, "web")
        assert runs(engine, "db")
        shut_down_containers(engine)
        assert "" < ended(engine, "web") < ended(engine, "db")
        assert restore_containers(engine) == ["web"]
        assert runs(engine, "db")
        assert runs(engine, "web")
    for name in ("web", "db"):
        target.remove(name)


def test_circles_and_what_is_gone(target: Target) -> None:
    target.make(name="db", state="present", **QUICK)
    target.make(state="present", requires=["db"], **QUICK)
    target.make(name="db", state="present", requires=["web"], **QUICK)
    with Engine(target.paths) as engine:
        with pytest.raises(Conflict, match="web -> db -> web require each other"):
            start_container(engine, "web")
        target.remove("db")
        with pytest.raises(NotFound, match="start container web: requires: there is no container db"):
            start_container(engine, "web")
        assert not runs(engine, "web")
        stop_container(engine, "web")
    target.remove()


def test_who_says_that_it_is_ready(target: Target) -> None:
    declared: Options = {"image": target.image, **QUICK}
    check_do_again(target, **declared, sdnotify="container")
    _planned, other = check_do_again(target, **declared, sdnotify="conmon")
    assert other["actions"] == ["recreate container web: sdnotify is container, should be conmon"]
    _planned, nobody = check_do_again(target, **declared)
    assert nobody["actions"] == ["recreate container web: sdnotify is conmon, should be ignore"]
    assert "is not a way to notify (write container, conmon or ignore)" in target.fails(
        **declared, sdnotify="healthy"
    )
    target.remove()
