# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The LAN of the network tests, and the engine of the container tests on its host.

Whatever asks for an engine here is in the namespace `host` from before the engine's first to after its last
moment, so that nothing of it can reach the machine's own network.
"""

from __future__ import annotations

import pathlib
import socket
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.conftest import harbour
from ansible_collections.coracle.engine.tests.integration.container.harbour import store_image
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.network.cells import Cells
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

__all__ = ["harbour"]

IMAGE = "sha256:" + "1" * 64


@pytest.fixture
def lan() -> t.Iterator[Lan]:
    """Around it the machine's own network must stay as it is."""
    before = _own_network()
    with Lan() as lan:
        yield lan
    assert _own_network() == before


@pytest.fixture
def host(lan: Lan) -> t.Iterator[str]:
    """This thread, and every program and thread that it starts, is on the host of the LAN."""
    with lan.inside("host"):
        yield "host"


@pytest.fixture
def engine_roots(host: str, engine_roots: Paths) -> Paths:
    """The roots of an engine on the host of the LAN."""
    return engine_roots


@pytest.fixture
def cells(host: str, tmp_path: pathlib.Path) -> t.Iterator[Cells]:
    """Namespaces to connect to the host of the LAN."""
    cells = Cells(tmp_path)
    yield cells
    cells.close()


@pytest.fixture
def target(
    engine_roots: Paths, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path
) -> t.Iterator[Target]:
    """A target on the host of the LAN, with an image and no networks. Its containers go with the test."""
    store_image(engine_roots, busybox_rootfs_tar)
    target = Target(engine_roots, tmp_path, IMAGE, "")
    target.network_mode = None
    yield target
    with Engine(engine_roots) as engine:
        names = [row["name"] for row in engine.records.read().all("SELECT name FROM containers")]
    for name in names:
        target.remove(name)


def _own_network() -> list[str]:
    forwarding = pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text()
    ruleset = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    return [*(name for _index, name in socket.if_nameindex()), forwarding, ruleset]
