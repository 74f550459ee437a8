# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An engine, and a registry that does what it is told."""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine, open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.registry.hostile import Server, Site


@pytest.fixture
def engine(engine_roots: Paths) -> t.Iterator[Engine]:
    with open_engine(*engine_roots) as engine:
        yield engine


@pytest.fixture
def server() -> t.Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def site(server: Server) -> Site:
    """`<host>/app:1`, an index for linux/amd64 and linux/s390x, two layers."""
    return Site(server)


@pytest.fixture
def app(site: Site) -> str:
    return f"{site.server.host}/app:1"


@pytest.fixture
def work() -> t.Iterator[pathlib.Path]:
    """A directory on a disk, for archives and disks of a test."""
    with tempfile.TemporaryDirectory(prefix="coracle-image-", dir="/var/tmp") as directory:
        yield pathlib.Path(directory)
