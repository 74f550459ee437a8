# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A registry that serves one image of two layers, and an engine that has busybox as its image."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, store_image
from ansible_collections.coracle.engine.tests.integration.registry.hostile import Server, Site


@pytest.fixture
def app() -> t.Iterator[str]:
    """The name of an image at a registry that is up."""
    with Server() as server:
        yield f"{Site(server).server.host}/app:1"


@pytest.fixture
def harbour(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path) -> t.Iterator[Harbour]:
    store_image(engine_roots, busybox_rootfs_tar)
    with Harbour(engine_roots) as harbour:
        yield harbour
        harbour.remove_all()
