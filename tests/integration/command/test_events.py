# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle events`: what has happened, whoever did it."""

from __future__ import annotations

import json

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

NONE = ("--network", "none")
ALL = ("--since", "1h", "--until", "0s")


def told(coracle: Shore, *filters: str) -> list[tuple[str, str]]:
    """Kind and action of each line."""
    words = [word for text in filters for word in ("--filter", text)]
    return [(line.split()[1], line.split(" ", 3)[2]) for line in coracle("events", *ALL, *words).splitlines()]


def test_the_life_of_a_container(coracle: Shore, harbour: Harbour) -> None:
    coracle("run", "-d", *NONE, "--name", "web", "-l", "tier=front", "busybox", "sleep", "1000")
    for words in (("pause", "web"), ("unpause", "web"), ("rename", "web", "www"), ("stop", "-t", "0", "www")):
        coracle(*words)
    coracle("rm", "www")
    coracle("volume", "create", "data")
    coracle("volume", "rm", "data")
    happened = ["create", "start", "pause", "unpause", "rename", "die", "stop", "destroy"]
    assert [action for _kind, action in told(coracle, "type=container")] == happened
    assert told(coracle, "type=volume") == [("volume", "create"), ("volume", "destroy")]
    assert told(coracle, "container=www", "event=die", "event=stop") == [
        ("container", "die"),
        ("container", "stop"),
    ]
    assert told(coracle, "label=tier=back") == []
    [died] = [
        json.loads(line)
        for line in coracle("events", *ALL, "-f", "event=die", "--format", "json").splitlines()
    ]
    assert (died["Type"], died["Actor"]["Attributes"]["exitCode"]) == ("container", "137")
    assert died["Actor"]["Attributes"]["tier"] == "front"
    line = coracle(
        "events", *ALL, "-f", "event=rename", "--format", "{{.Type}} {{.Actor.Attributes.oldName}}"
    )
    assert line == "container web\n"


def test_what_happens_is_shown_until_somebody_has_seen_enough(coracle: Shore, harbour: Harbour) -> None:
    with coracle.at_terminal("events", "--filter", "type=container") as terminal:
        harbour.start("web", "sleep", "1000")
        terminal.wait_for("container start")
        remove_container(harbour.engine, "web")
        terminal.wait_for("container destroy")
        terminal.type("\x03")
        assert terminal.end() in (130, 0)


def test_events_with_mistakes(coracle: Shore) -> None:
    assert "is not a time" in coracle.refused("events", "--since", "yesterday")
    assert "invalid filter 'colour'" in coracle.refused("events", "--filter", "colour=red")
