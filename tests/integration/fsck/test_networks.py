# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What running containers have lost of the host's network, and links that nobody needs."""

from __future__ import annotations

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.check_networks import (
    check_networks,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.network.conftest import (
    engine_roots,
    host,
    lan,
    target,
)
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

__all__ = ["engine_roots", "host", "lan", "target"]


def test_a_flushed_ruleset_and_a_stray_link(lan: Lan, target: Target) -> None:
    target.make(name="web", command=["/bin/sleep", "1000"], published_ports=["8080:80"])
    alias = f"{target.paths.instance}:nobody"
    with Engine(target.paths) as engine:
        assert list(check_networks(engine)) == []
        lan.run("host", ["nft", "delete", "table", "inet", target.paths.instance])
        lan.run("host", ["ip", "link", "add", "cor-nobody", "type", "bridge"])
        lan.run("host", ["ip", "link", "set", "cor-nobody", "alias", alias])
        found = list(check_networks(engine))
        assert [finding.problem for finding in found] == [
            f"the firewall of the containers: the table inet {target.paths.instance} has gone",
            "links of no container: cor-nobody",
        ]
        for finding in found:
            assert finding.mend is not None
            finding.mend()
        assert list(check_networks(engine)) == []
        assert "8080" in lan.run("host", ["nft", "list", "ruleset"])
        assert "cor-nobody" not in lan.run("host", ["ip", "-br", "link"])
