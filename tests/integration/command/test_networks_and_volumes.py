# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network …` and `coracle volume …`. Containers that are on networks stay at rest here."""

from __future__ import annotations

import ipaddress
import os
import re

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour


def test_networks_come_and_go(coracle: Shore, harbour: Harbour) -> None:
    made = coracle("network", "create", "--label", "tier=db", "--subnet", "10.213.9.0/24", "backend").strip()
    assert re.fullmatch(r"[0-9a-f]{64}", made)
    header, row = coracle("network", "ls").splitlines()
    assert re.split(r" {2,}", header) == ["NETWORK ID", "NAME", "DRIVER", "SCOPE"]
    assert re.split(r" {2,}", row) == [made[:12], "backend", "bridge", "local"]
    assert coracle("network", "ls", "-q", "--no-trunc", "--filter", "label=tier=db") == f"{made}\n"
    assert coracle("network", "ls", "-q", "--filter", "driver=macvlan") == ""
    assert coracle("network", "ls", "--format", "{{.Name}} {{.IPv4}} {{.IPv6}}") == "backend true false\n"
    harbour.create("web", "true", network_mode="backend")
    assert coracle("network", "ls", "-q", "--filter", "dangling=true") == ""
    assert "connected to it: web" in coracle.refused("network", "rm", "backend")
    coracle("network", "create", "--internal", "other")
    coracle("network", "connect", "other", "web")
    [web] = coracle.json("container", "inspect", "web")
    assert set(web["NetworkSettings"]["Networks"]) == {"backend", "other"}
    coracle("network", "disconnect", "-f", "other", "web")
    [config] = coracle.json("network", "inspect", "other")[0]["IPAM"]["Config"]
    address = str(ipaddress.ip_network(config["Subnet"])[20])
    coracle("network", "connect", "--alias", "www", "--ip", address, "other", "web")
    [web] = coracle.json("container", "inspect", "web")
    other = web["NetworkSettings"]["Networks"]["other"]
    assert (other["Aliases"], other["IPAddress"]) == (["www"], address)
    exists = "Error: endpoint with name web already exists in network other\n"
    assert coracle.refused("network", "connect", "other", "web") == exists
    coracle("network", "disconnect", "other", "web")
    assert "is not connected to network other" in coracle.refused("network", "disconnect", "other", "web")
    assert coracle("network", "rm", "other") == "other\n"
    assert coracle.refused("network", "rm", "other") == "Error: network other not found\n"
    assert coracle.run("network", "rm", "-f", "other").code == 0
    coracle("rm", "web")
    assert coracle("network", "rm", made[:8]) == f"{made[:8]}\n"


def test_networks_that_cannot_be(coracle: Shore) -> None:
    cases = (
        (["--gateway", "10.1.2.3", "x"], "no matching subnet for gateway 10.1.2.3"),
        (["--subnet", "10.1.2.0/33", "x"], "10.1.2.0/33"),
        (["--opt", "=1", "x"], "--opt: '=1' has no name"),
        (["../x"], "../x"),
    )
    for arguments, problem in cases:
        assert problem in coracle.refused("network", "create", *arguments)
    assert coracle("network", "ls", "-q") == ""


def test_volumes_come_and_go(coracle: Shore, harbour: Harbour) -> None:
    assert coracle("volume", "create", "--label", "backup=daily", "data") == "data\n"
    assert coracle("volume", "create", "data") == "data\n"
    nameless = coracle("volume", "create").strip()
    assert re.fullmatch(r"[0-9a-f]{64}", nameless)
    assert coracle("volume", "ls", "-q").split() == sorted([nameless, "data"])
    assert coracle("volume", "ls", "--filter", "label=backup=daily").splitlines() == [
        "DRIVER    VOLUME NAME",
        "local     data",
    ]
    assert coracle("volume", "ls", "--format", "{{.Name}} {{.Size}}", "--filter", "name=dat") == "data 0B\n"
    harbour.create("web", "true", volumes=[{"type": "volume", "source": "data", "target": "/data"}])
    assert coracle("volume", "ls", "-q", "--filter", "dangling=true") == f"{nameless}\n"
    assert "volume data is used by web" in coracle.refused("volume", "rm", "data")
    coracle("rm", "web")
    assert coracle("volume", "rm", "data", nameless) == f"data\n{nameless}\n"
    assert coracle.refused("volume", "rm", "data") == "Error: get data: no such volume\n"
    assert os.listdir(harbour.paths.volumes) == []
    assert "has no option" in coracle.refused("volume", "create", "-o", "size=1g", "x")
