# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for, and choosing by, what health checks say."""

from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import RuntimeFailure, TimedOut
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.look_at_containers import (
    look_at,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.select_containers import (
    Filters,
    select,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_for_containers import (
    Reached,
    Want,
    wait_for_containers,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

SECOND = 10**9
CHECK = {
    "test": ["CMD", "test", "-e", "/ready"],
    "interval": SECOND // 2,
    "timeout": 20 * SECOND,
    "retries": 1000,
}


def chosen(harbour: Harbour, *health: str) -> list[str]:
    records = [harbour.record(name) for name in ("web", "plain")]
    seen = select(harbour.engine, look_at(harbour.engine, records), Filters(health=health))
    return [each.record.name for each in seen]


def test_until_healthy(harbour: Harbour) -> None:
    harbour.start("plain", "sleep", "1000")
    harbour.start("web", "sh", "-c", "sleep 2; touch /ready; sleep 1000", healthcheck=CHECK)
    assert chosen(harbour, "healthy") == []
    assert chosen(harbour, "none") == ["plain"]
    assert wait_for_containers(harbour.engine, ["web"], Want("healthy"), 60) == [Reached("web", "running")]
    assert chosen(harbour, "healthy") == ["web"]


def test_not_healthy_yet(harbour: Harbour) -> None:
    harbour.start("web", "sleep", "1000", healthcheck=CHECK)
    with pytest.raises(TimedOut, match="not healthy after 1 s: web: running"):
        wait_for_containers(harbour.engine, ["web"], Want("healthy"), 1)


def test_unhealthy(harbour: Harbour) -> None:
    check = {**CHECK, "test": ["CMD-SHELL", "echo no database; exit 1"], "retries": 1}
    harbour.start("web", "sleep", "1000", healthcheck=check)
    with pytest.raises(RuntimeFailure, match="container web is unhealthy: no database"):
        wait_for_containers(harbour.engine, ["web"], Want("healthy"), 60)


def test_ended_before_it_was_healthy(harbour: Harbour) -> None:
    harbour.start("web", "sh", "-c", "sleep 3; echo no good; exit 7", healthcheck=CHECK)
    with pytest.raises(
        RuntimeFailure, match="web ended with code 7 before it was healthy; last lines: no good"
    ):
        wait_for_containers(harbour.engine, ["web"], Want("healthy"), 60)
