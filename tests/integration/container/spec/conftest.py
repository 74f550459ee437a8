# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pathlib
import subprocess

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.spec.bundles import RUNTIMES, Bundle


@pytest.fixture
def bundle(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path) -> Bundle:
    return Bundle(engine_roots, busybox_rootfs_tar)


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """`probe.c` as a static program."""
    program = tmp_path_factory.mktemp("probe") / "probe"
    source = pathlib.Path(__file__).with_name("probe.c")
    command = ["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", str(program), str(source), "-lpthread"]
    subprocess.run(command, check=True)
    return program
