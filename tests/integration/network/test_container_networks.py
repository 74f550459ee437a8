# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers on networks: what they see of them, and how that changes while they run."""

from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    endpoints_of,
    find_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

pytestmark = pytest.mark.usefixtures("host")

WAIT = ("sleep", "1000")


def test_a_container_on_a_network_reaches_its_gateway_and_beyond(harbour: Harbour, lan: Lan) -> None:
    network = create_network(harbour.engine, "web", NetworkOptions())
    record = harbour.start("shop", *WAIT, network_mode="web")
    [endpoint] = endpoints_of(harbour.engine.records.read(), record.id)
    place = f"{harbour.paths.netns}/{record.id}"
    lan.run(place, ["busybox", "ping", "-c1", "-W2", network.gateway(4)])
    assert endpoint.addresses[0] in lan.run(place, ["ip", "-o", "address", "show", "eth0"])
