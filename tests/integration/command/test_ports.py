# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Ports as people look for them: in `ps`, in `port`, in `inspect`; on a host of their own."""

from __future__ import annotations

import re

from ansible_collections.coracle.engine.tests.integration.command.conftest import harbour
from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.network.conftest import engine_roots, host, lan

__all__ = ["engine_roots", "harbour", "host", "lan"]


def test_a_published_port(coracle: Shore) -> None:
    server = ("busybox", "httpd", "-f", "-h", "/etc")
    coracle("run", "-d", "--name", "web", "-p", "8080:80", "--expose", "443", *server)
    assert coracle("ps", "--format", "{{.Ports}}") == "0.0.0.0:8080->80/tcp, 443/tcp\n"
    assert coracle("port", "web") == "80/tcp -> 0.0.0.0:8080\n"
    assert coracle("port", "web", "80") == "0.0.0.0:8080\n"
    template = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}'
    assert coracle("inspect", "-f", template, "web") == "8080\n"
    for wanted in ("publish=8080", "publish=80", "expose=443/tcp", "network=coracle"):
        assert coracle("ps", "-q", "--filter", wanted) != "", wanted
    assert coracle("ps", "-q", "--filter", "publish=81") == ""
    assert coracle.json("ps")[0]["Networks"] == "coracle"
    coracle("stop", "-t", "0", "web")
    assert coracle("ps", "-a", "--format", "{{.Ports}}") == "\n"


def test_a_port_of_a_network_with_ipv6(coracle: Shore) -> None:
    coracle("network", "create", "--ipv6", "--subnet", "fd00:213:9::/64", "six")
    coracle("run", "-d", "--name", "web", "--network", "six", "-p", "8080:80", "busybox", "sleep", "1000")
    assert coracle("ps", "--format", "{{.Ports}}") == "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n"
    assert coracle("port", "web") == "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n"


def test_networks_by_the_beginning_of_their_id(coracle: Shore) -> None:
    network = coracle("network", "create", "front").strip()
    on_it = ("--network", network[:12], "--network-alias", "www")
    coracle("run", "-d", "--name", "web", *on_it, "busybox", "sleep", "1000")
    assert coracle("inspect", "-f", "{{json .NetworkSettings.Networks.front.Aliases}}", "web") == '["www"]\n'
    found = coracle("run", "--rm", "--network", "front", "busybox", "nslookup", "www")
    assert re.search(r"Name:\s+www", found)
