# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An engine with one image, and its command, installed."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.tag_image import tag_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, store_image


@pytest.fixture
def harbour(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path) -> t.Iterator[Harbour]:
    """Containers made through the library; all that there are at the end are removed."""
    store_image(engine_roots, busybox_rootfs_tar)
    with Harbour(engine_roots) as harbour:
        for name in ("busybox:1", "busybox:latest"):
            tag_image(harbour.engine, harbour.image.id, parse_reference(name))
        yield harbour
        harbour.remove_all()


@pytest.fixture
def coracle(harbour: Harbour) -> Shore:
    """The command of the same engine."""
    return Shore(harbour.paths)
