# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Make this checkout importable as `ansible_collections.coracle.engine`, wherever it lies, without Ansible.

Tests import the code as `ansible_collections.coracle.engine.plugins.module_utils…` and shared test helpers as
`ansible_collections.coracle.engine.tests…`.
"""

from __future__ import annotations

import importlib.machinery
import pathlib
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _make_collection_importable() -> None:
    nowhere = str(ROOT / ".none")
    for name, path in (
        ("ansible_collections", nowhere),
        ("ansible_collections.coracle", nowhere),
        ("ansible_collections.coracle.engine", str(ROOT)),
    ):
        module = types.ModuleType(name)
        module.__path__ = [path]
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        sys.modules[name] = module


_make_collection_importable()
