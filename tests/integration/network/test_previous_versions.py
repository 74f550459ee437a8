# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Previous versions of a container are kept, and are the way back."""

from __future__ import annotations

import os
import signal
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    find_container,
    list_containers,
    previous_name,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    addresses_in,
    endpoints_of,
    ports_of,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import replace_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.prune_container import (
    why_needed,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.start_container import (
    start_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.repairs import plan_repairs
from ansible_collections.coracle.engine.tests.integration.container.harbour import wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan
from ansible_collections.coracle.engine.tests.integration.network.test_start_first import (
    HOST,
    Hammer,
    serving,
)

pytestmark = pytest.mark.usefixtures("host")

READY = {"tcp": {"port": 80}, "interval": "100ms"}
WANTED: dict[str, t.Any] = {
    "published_ports": ["8080:80"],
    "restart_policy": "always",
    "stop_timeout": 1,
    "keep_previous": 1,
    "ready": READY,
}


def names(target: Target) -> list[str]:
    with Engine(target.paths) as engine:
        return sorted(record.name for record in list_containers(engine.records, hidden=True))


def make(target: Target, text: str, **more: t.Any) -> str:
    """A version that says `text`; its id."""
    return str(target.make(command=serving(text), **{**WANTED, **more})["container"]["Id"])


def test_versions_are_kept_and_brought_back_without_a_failed_request(target: Target, lan: Lan) -> None:
    first, second, third = (make(target, text) for text in ("one", "two", "three"))
    kept = previous_name("web", second)
    assert names(target) == ["web", kept]
    with Hammer(lan, "neighbour", HOST) as hammer:
        info, planned, done, again = target.run(
            target.info(),
            target.container(check=True, rollback=True, replace="start-first", ready=READY),
            target.container(rollback=True, replace="start-first", ready=READY),
            target.container(rollback=True),
        )
    shown = {each["Id"]: each for each in info["containers"]}
    assert first not in shown
    assert shown[second]["State"]["Status"] == "exited"
    assert shown[second]["KeptSince"]
    assert "KeptSince" not in shown[third]
    assert planned["actions"] == done["actions"], (planned, done)
    assert done["actions"][0].startswith(
        f"recreate container web, the new one before the old one stops: rollback to {kept}: command is "
    )
    assert done["actions"][1:] == [f"remove container {kept}: it is in place again"]
    assert set(hammer.answers) == {"open:three\n", "open:two\n"}
    assert hammer.answers[-1] == "open:two\n"
    assert again["failed"]
    assert "no previous version of it is kept" in again["msg"]
    assert names(target) == ["web"]


def test_a_version_has_nothing_of_the_host(target: Target, lan: Lan) -> None:
    """And so is in nobody's way; it is neither started nor pruned, and goes with its container."""
    old = make(target, "old")
    make(target, "new")
    with Engine(target.paths) as engine:
        record = find_container(engine.records, old)
        rows = engine.records.read()
        assert (endpoints_of(rows, old), ports_of(rows, old)) == ([], [])
        assert old not in addresses_in(rows, "coracle").values()
        assert why_needed(record, "exited", ()) == "it is kept for a rollback"
        with pytest.raises(Conflict, match="kept for a rollback"):
            start_container(engine, record.name)
    [gone] = target.run(target.container(state="absent"))
    assert gone["actions"] == [
        "stop container web",
        f"remove container {previous_name('web', old)}: it is a version of web",
        "remove container web",
    ]
    assert names(target) == []


def test_a_fixed_address_comes_back(target: Target, lan: Lan) -> None:
    target.run(target.network(name="web", ipam_config=[{"subnet": "10.77.0.0/24"}]))
    address = {"networks": [{"name": "web", "ipv4_address": "10.77.0.7"}]}
    make(target, "old", **address)
    make(target, "new", **address)
    wait_until(lambda: lan.probe("host", "tcp", "10.77.0.7", 80), lambda answer: answer == "open:new\n")
    back = target.make(state="started", image=None, rollback=True, ready=READY, stop_timeout=1)
    assert back["container"]["NetworkSettings"]["Networks"]["web"]["IPAddress"] == "10.77.0.7"
    assert lan.probe("host", "tcp", "10.77.0.7", 80) == "open:old\n"
    assert names(target) == ["web"]


@pytest.mark.parametrize("beside", [True, False], ids=["start-first", "stop-first"])
@pytest.mark.parametrize("moment", ["_retire", "_put_away", "delete_ports"])
def test_killed_before_it_is_put_away(target: Target, lan: Lan, moment: str, beside: bool) -> None:
    if moment == "_retire" and not beside:
        moment = "_finish"
    old = make(target, "old")
    child = os.fork()
    if child == 0:
        try:
            setattr(
                replace_container, moment, lambda *_args, **_options: os.kill(os.getpid(), signal.SIGKILL)
            )
            make(target, "new", replace="start-first" if beside else "stop-first", drain_timeout=1)
        finally:
            os._exit(1)
    _pid, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended)
    with Engine(target.paths) as engine:
        repairs = plan_repairs(engine)
        assert "repair container web: keep the one that it has replaced" in repairs.actions
        repairs.execute(engine)
        assert plan_repairs(engine).actions == []
    assert names(target) == ["web", previous_name("web", old)]
    wait_until(lambda: lan.probe("neighbour", "tcp", HOST, 8080), lambda answer: answer == "open:new\n")
    back = target.make(image=None, rollback=True, ready=READY, stop_timeout=1)
    assert back["container"]["State"]["Running"] is True
    assert lan.probe("neighbour", "tcp", HOST, 8080) == "open:old\n"
