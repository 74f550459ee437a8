# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""docs/tour.md is true: every step, on the host and from the controller, in a network of its own."""

from __future__ import annotations

import pathlib
import tarfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.command.tour import Guide, differs, read_tour
from ansible_collections.coracle.engine.tests.integration.network.conftest import engine_roots, host, lan
from ansible_collections.coracle.engine.tests.integration.registries import build_image, running_registry

__all__ = ["engine_roots", "host", "lan"]

TOUR = pathlib.Path(__file__).parents[3] / "docs" / "tour.md"


@pytest.fixture
def guide(
    engine_roots: Paths,
    busybox_rootfs_tar: pathlib.Path,
    tmp_path: pathlib.Path,
) -> t.Iterator[Guide]:
    tree = tmp_path / "tree"
    with tarfile.open(busybox_rootfs_tar) as tar:
        tar.extractall(tree)
    with running_registry(tmp_path / "registry") as registry:
        image = build_image(tmp_path / "layout", [tree], config=["--config.cmd", "/bin/sh"])
        registry.push(image, "busybox:latest")
        yield Guide(Shore(engine_roots), tmp_path, registry.host)
        with Engine(engine_roots) as engine:
            for row in engine.records.read().all("SELECT id FROM containers"):
                remove_container(engine, row["id"], volumes=True)


@pytest.mark.slow
def test_the_tour(guide: Guide) -> None:
    for step in read_tour(TOUR.read_text()):
        problem = differs(step, guide.take(step))
        assert not problem, f"{step.by} {step.command}\n{problem}"
