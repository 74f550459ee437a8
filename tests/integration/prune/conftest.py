# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A target with busybox:1 and containers in every state, and the engine of the container tests."""

from __future__ import annotations

from ansible_collections.coracle.engine.tests.integration.container.conftest import harbour
from ansible_collections.coracle.engine.tests.integration.module_container.conftest import (
    bare_target,
    registry,
    target,
)

__all__ = ["bare_target", "harbour", "registry", "target"]
