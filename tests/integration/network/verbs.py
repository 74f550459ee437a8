# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Operations on networks for trials: functions of an engine and JSON values, as in faults/verbs.py."""

from __future__ import annotations

import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_published_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import (
    ImageRecord,
    list_images,
)
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
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    replace_container,
)
from ansible_collections.coracle.engine.tests.integration.network import cells

if t.TYPE_CHECKING:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine

IMAGE_NAME = "docker.io/library/busybox:1"
FRONT = "10.99.0.0/24"  # the subnet of the network `front`
FIXED_ADDRESS, FIXED_MAC = "10.99.0.77", "02:00:00:00:00:77"


def connect_cell(engine: Engine, place: str, driver: str) -> None:
    on = cells.network(driver=driver)
    endpoints.connect(on, cells.endpoint(on, 2), place, cells.INSTANCE, default_route=True)


def disconnect_cell(engine: Engine, place: str, driver: str) -> None:
    on = cells.network(driver=driver)
    endpoints.disconnect(on, cells.endpoint(on, 2), place)
    bridges.sweep_links(cells.snapshot([on], []))


def create_server(engine: Engine, name: str) -> None:
    """On the networks `front` and `back`, published as port 8080."""
    config = _server("at your service", networks=[{"name": "front"}, {"name": "back"}])
    create_container(engine, name, config, _image(engine), IMAGE_NAME)


def create_old(engine: Engine, name: str) -> None:
    """As `replace` wants it, with another answer."""
    create_container(engine, name, _fixed("old"), _image(engine), IMAGE_NAME)


def replace(engine: Engine, name: str) -> None:
    """By one that answers `new`, with the same fixed address, MAC and port."""
    replace_container(engine, name, _fixed("new"), _image(engine), IMAGE_NAME, run=True)


def connect(engine: Engine, name: str, network: str) -> None:
    connect_network(engine, name, network)


def disconnect(engine: Engine, name: str, network: str) -> None:
    disconnect_network(engine, name, network)


def _fixed(answer: str) -> ContainerConfig:
    front = {"name": "front", "ipv4_address": FIXED_ADDRESS, "mac_address": FIXED_MAC}
    return _server(answer, networks=[front, {"name": "back"}])


def _server(answer: str, **fields: t.Any) -> ContainerConfig:
    return ContainerConfig(
        network_mode="front",
        published_ports=parse_published_ports(["8080:80"], "published_ports"),
        command=["nc", "-ll", "-p", "80", "-e", "echo", answer],
        stop_timeout=0,
        **fields,
    )


def _image(engine: Engine) -> ImageRecord:
    return list_images(engine.database.read())[0]
