# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An engine with one image without a registry, and one with a registry that does what it is told."""

from __future__ import annotations

from ansible_collections.coracle.engine.tests.integration.container.conftest import harbour
from ansible_collections.coracle.engine.tests.integration.image.conftest import app, engine, server, site

__all__ = ["app", "engine", "harbour", "server", "site"]
