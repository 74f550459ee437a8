# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Update a container in place: write down what is asked for now, and change its networks and ports.

Labels, restart policy, stop signal and timeout are read when they matter; nothing that runs has to hear of
it.
"""

from __future__ import annotations

import typing as t

from ..container.records import ContainerRecord
from ..errors import doing
from .install_boot_unit import BOOT_POLICIES, install_boot_unit
from .locked_container import locked_container
from .reserve_network import change_network, ensure_networks
from .rewire_container import rewire_container

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..engine import Engine


def update_container(engine: Engine, name: str, config: ContainerConfig, image_name: str) -> ContainerRecord:
    """`image_name` is another name of the image that the container has."""
    with doing(f"update container {name}"):
        ensure_networks(engine, config)
        with locked_container(engine, name) as record:
            record.image_name = image_name
            rewire_container(engine, record, lambda rows: change_network(rows, record, config), config)
            if config.restart_policy in BOOT_POLICIES:
                install_boot_unit(engine)
            return record
