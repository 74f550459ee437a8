# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A port of the host goes from a container that a project no longer declares to one that it declares."""

from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_project import (
    project,
    states,
)

pytestmark = pytest.mark.usefixtures("host")


def test_a_port_is_inherited_when_the_heir_can_begin(target: Target) -> None:
    shop = {"project": "shop", "purge": True}
    port = {"network_mode": "bridge", "published_ports": ["8080:80"]}
    job = {"name": "job", "command": ["false"], "restart_policy": "no"}
    web, site = {"name": "web", **port}, {"name": "site", **port}
    waits = {**site, "depends_on": {"job": {"condition": "completed"}}}
    first, kept = target.run(project(target, web, **shop), project(target, job, waits, **shop))
    assert not first.get("failed"), first
    assert "site: was left alone: it depends on job" in kept["msg"]
    assert "web: was left alone: it is no longer declared" in kept["msg"]
    assert states(target) == {"web": "running", "job": "exited"}
    [done] = target.run(project(target, site, **shop))
    assert not done.get("failed"), done
    assert states(target) == {"site": "running"}
    target.remove("site")
