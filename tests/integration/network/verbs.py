# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Operations on networks for trials: functions of an engine and JSON values, as in faults/verbs.py."""

from __future__ import annotations

import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_published_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import list_images
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import bridges, endpoints
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.connect_network import (
    connect_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_container import (
    create_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.disconnect_network import (
    disconnect_network,
)
from ansible_collections.coracle.engine.tests.integration.network import cells

if t.TYPE_CHECKING:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine

SERVE = ("nc", "-ll", "-p", "80", "-e", "echo", "at your service")


def connect_cell(engine: Engine, place: str, driver: str) -> None:
    on = cells.network(driver=driver)
    endpoints.connect(on, cells.endpoint(on, 2), place, cells.INSTANCE, default_route=True)


def disconnect_cell(engine: Engine, place: str, driver: str) -> None:
    on = cells.network(driver=driver)
    endpoints.disconnect(on, cells.endpoint(on, 2), place)
    bridges.sweep_links(cells.snapshot([on], []))


def create_server(engine: Engine, name: str) -> None:
    """On the networks `front` and `back`, published as port 8080."""
    config = ContainerConfig(
        network_mode="front",
        networks=[{"name": "front"}, {"name": "back"}],
        published_ports=parse_published_ports(["8080:80"], "published_ports"),
        command=list(SERVE),
    )
    create_container(
        engine, name, config, list_images(engine.database.read())[0], "docker.io/library/busybox:1"
    )


def connect(engine: Engine, name: str, network: str) -> None:
    connect_network(engine, name, network)


def disconnect(engine: Engine, name: str, network: str) -> None:
    disconnect_network(engine, name, network)
