# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How options together say where a container is connected, and which of them contradict each other."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import attachments
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.attachments import (
    Attachments,
    attachments_of,
    check_connectable,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.contradictions import (
    check_config,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import ContainerRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import model
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig

MAC = "02:00:00:00:00:01"
WEB, DB, OURS = {"name": "web"}, {"name": "db"}, {"name": "coracle"}


def test_the_default_network_has_one_name() -> None:
    assert attachments.DEFAULT_NETWORK == model.DEFAULT_NETWORK


@pytest.mark.parametrize(
    ("asked", "mode", "networks"),
    [
        ({}, attachments.DEFAULT_NETWORK_MODE, None),
        ({"networks": []}, attachments.DEFAULT_NETWORK_MODE, None),
        ({"network_mode": "host"}, "host", ()),
        ({"network_mode": "none"}, "none", ()),
        ({"network_mode": "container:web"}, "container:web", ()),
        ({"network_mode": "ns:/run/netns/x"}, "ns:/run/netns/x", ()),
        ({"networks": [{"name": "host"}]}, "host", ()),
        ({"network_mode": "bridge"}, "bridge", (OURS,)),
        ({"network_mode": "web"}, "web", (WEB,)),
        ({"networks": [WEB, DB]}, "web", (WEB, DB)),
        ({"networks": [OURS, DB]}, "bridge", (OURS, DB)),
        ({"network_mode": "db", "networks": [WEB, {**DB, "gw_priority": 1}]}, "db",
         ({**DB, "gw_priority": 1}, WEB)),
        ({"network_mode": "bridge", "networks": [WEB]}, "bridge", (OURS, WEB)),
        ({"network_mode": "web", "mac_address": MAC}, "web", ({**WEB, "mac_address": MAC},)),
        ({"networks": [WEB, DB], "mac_address": MAC}, "web", ({**WEB, "mac_address": MAC}, DB)),
        ({"network_mode": "web", "links": [["b", "c"]]}, "web", ({**WEB, "links": [["b", "c"]]},)),
        ({"networks": [{**WEB, "links": [["a", "a"], ["b", "c"]]}], "links": [["b", "c"], ["b", "d"]]}, "web",
         ({**WEB, "links": [["a", "a"], ["b", "c"], ["b", "d"]]},)),
    ],
)  # fmt: skip
def test_what_options_mean_together(asked: dict[str, t.Any], mode: str, networks: t.Any) -> None:
    found = attachments_of(ContainerConfig(**asked))
    assert found == Attachments(mode, found.networks if networks is None else networks)
    check_config(ContainerConfig(**asked))


def test_not_as_the_command_line_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "DEFAULT_NETWORK_MODE", "bridge")
    found = attachments_of(ContainerConfig(networks=[WEB], networks_cli_compatible=False))
    assert found == Attachments("bridge", (OURS, WEB))


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"network_mode": "host", "networks": [WEB]}, "networks has no meaning with network_mode host"),
        ({"network_mode": "none", "mac_address": MAC}, "mac_address has no meaning"),
        ({"network_mode": "host", "published_ports": [{}]}, "published_ports has no meaning"),
        ({"network_mode": "host", "publish_all_ports": True}, "publish_all_ports has no meaning"),
        ({"network_mode": "container:web", "hostname": "x"}, "hostname has no meaning with .*container:web"),
        ({"network_mode": "container:web", "etc_hosts": {"a": "192.0.2.1"}}, "etc_hosts has no meaning"),
        ({"network_mode": "host", "sysctls": {"net.core.somaxconn": "1"}}, "net.core.somaxconn would change"),
        ({"network_mode": "ns:/x", "sysctls": {"net.core.somaxconn": "1"}}, "network_mode is ns:/x"),
        (
            {"mac_address": MAC, "networks": [{**WEB, "mac_address": "02:00:00:00:00:02"}]},
            f"mac_address is {MAC}, and 02:00:00:00:00:02 in networks",
        ),
    ],
)
def test_contradictions(asked: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        check_config(ContainerConfig(**asked))


@pytest.mark.parametrize(("mode", "connectable"), [("web", True), ("bridge", True), ("host", False)])
def test_who_can_be_connected(mode: str, connectable: bool) -> None:
    config = ContainerConfig(network_mode=mode)
    record = ContainerRecord("1" * 64, "shop", "", "", ImageConfig(), config, "")
    with contextlib.nullcontext() if connectable else pytest.raises(Conflict, match=f"shop.*{mode}"):
        check_connectable(record)


@pytest.mark.parametrize(
    "asked",
    [
        {"network_mode": "host", "etc_hosts": {"a": "192.0.2.1"}, "hostname": "x"},
        {"network_mode": "host", "sysctls": {"kernel.sem": "1"}, "networks": [], "exposed_ports": ["80/tcp"]},
        {"network_mode": "none", "sysctls": {"net.core.somaxconn": "1"}},
        {"mac_address": MAC, "networks": [{**WEB, "mac_address": MAC}]},
    ],
)
def test_what_goes_together(asked: dict[str, t.Any]) -> None:
    check_config(ContainerConfig(**asked))
