# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An engine with one image, and containers to copy to."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, store_image


@pytest.fixture
def harbour(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path) -> t.Iterator[Harbour]:
    """Every container that the test made is removed when it ends."""
    store_image(engine_roots, busybox_rootfs_tar)
    with Harbour(engine_roots) as harbour:
        yield harbour
        harbour.remove_all()
