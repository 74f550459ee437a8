# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle ps` against real containers."""

from __future__ import annotations

import re

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour


def test_the_table_is_docker_s(coracle: Shore, harbour: Harbour) -> None:
    web = harbour.start("web", "sleep", "1000")
    harbour.create("later", "true")
    header, row = coracle("ps").splitlines()
    assert re.fullmatch(r"CONTAINER ID   IMAGE       COMMAND        CREATED +STATUS +PORTS     NAMES", header)
    assert re.fullmatch(web.id[:12] + r'   busybox:1   "sleep 1000"   [\w ]+ ago +Up [\w ]+ {3,}web', row)
    names = coracle("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines()
    assert names == ["later created", "web running"]
    assert coracle("ps", "-aq", "--no-trunc").splitlines()[1] == web.id


def test_filters_choose(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sleep", "1000", labels={"tier": "front"})
    harbour.start("job", "sh", "-c", "exit 3")
    harbour.settled("job")

    def names(*filters: str) -> list[str]:
        options = [option for text in filters for option in ("--filter", text)]
        return coracle("ps", "-a", "--format", "{{.Names}}", *options).splitlines()

    assert names("status=exited") == ["job"]
    assert names("exited=3", "name=j") == ["job"]
    assert names("exited=0") == []
    assert names("label=tier=front") == ["web"]
    assert names("ancestor=busybox:1") == ["job", "web"]
    assert names("before=job") == ["web"]
    assert names("since=web") == ["job"]
    assert names("status=running", "status=exited", "name=^web$") == ["web"]
    assert "Exited (3) " in coracle("ps", "-l", "--format", "{{.Status}}")
    assert "invalid filter 'colour'" in coracle.refused("ps", "--filter", "colour=blue")


def test_an_engine_that_does_not_exist_yet_has_no_containers(coracle: Shore) -> None:
    """Looking makes nothing."""
    answer = coracle.run("--root", f"{coracle.paths.root}-not-there", "ps", "--json")
    assert (answer.code, answer.out) == (0, "[]\n")
