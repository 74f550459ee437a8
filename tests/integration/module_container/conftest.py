# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An engine on localhost with an image, and Ansible to drive it."""

from __future__ import annotations

import pathlib
import tarfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pull_image import pull_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.registries import (
    Registry,
    build_image,
    running_registry,
)

CONFIG = ["--config.cmd", "/bin/sleep", "--config.cmd", "1000", "--config.env", "FROM_IMAGE=yes"]


@pytest.fixture(scope="session")
def registry(
    tmp_path_factory: pytest.TempPathFactory, busybox_rootfs_tar: pathlib.Path
) -> t.Iterator[Registry]:
    """Has busybox:1 and busybox:2, which sleep; the latter has a file /second."""
    work = tmp_path_factory.mktemp("registry")
    tree = work / "tree"
    with tarfile.open(busybox_rootfs_tar) as tar:
        tar.extractall(tree)
    with running_registry(work / "registry") as registry:
        registry.push(build_image(work / "first", [tree], config=CONFIG), "busybox:1")
        registry.push(build_image(work / "second", [tree, {"second": b"2"}], config=CONFIG), "busybox:2")
        yield registry


@pytest.fixture
def bare_target(registry: Registry, engine_roots: Paths, tmp_path: pathlib.Path) -> Target:
    """A target on which nothing was ever run; `image` is busybox:1 of the registry."""
    return Target(engine_roots, tmp_path, f"{registry.host}/busybox:1", registry.host)


@pytest.fixture
def target(bare_target: Target) -> Target:
    """A target that has busybox:1."""
    with Engine(bare_target.paths) as engine:
        options = RegistryOptions(insecure_registries=(bare_target.registry,))
        pull_image(engine, parse_reference(bare_target.image), options)
    return bare_target
