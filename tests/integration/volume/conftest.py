# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The targets of the module tests, and the engine of the container tests with an image that has something."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.coracle.engine.tests.integration.container.conftest import harbour
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.module_container.conftest import (
    bare_target,
    registry,
    target,
)
from ansible_collections.coracle.engine.tests.integration.volume.stock import STOCK, add_image

__all__ = ["bare_target", "harbour", "registry", "target"]


@pytest.fixture
def stocked(harbour: Harbour, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path) -> Harbour:
    """A harbour whose image has files in /srv/data."""
    harbour.image = add_image(harbour.engine, busybox_rootfs_tar, tmp_path, "stock:1", *STOCK)
    return harbour
