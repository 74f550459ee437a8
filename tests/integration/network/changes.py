# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Changes of networks that another process can be asked for (faults/driver.py)."""

from __future__ import annotations

import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.module.network_options import (
    NETWORK,
    read_network_request,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.network import (
    NetworkRequest,
    plan_network,
)


def make_network(engine: Engine, options: dict[str, t.Any]) -> None:
    """What a task with these options does."""
    plan_network(engine, network_request(**options)).plan.execute(engine)


def network_request(name: str = "backend", **options: t.Any) -> NetworkRequest:
    defaults = {name: option.get("default") for name, option in NETWORK.options.items()}
    return read_network_request({**defaults, "name": name, **options})
