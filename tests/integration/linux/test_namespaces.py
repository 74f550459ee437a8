# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import mounts, programs, syscalls
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    remove_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths


@pytest.fixture
def name(engine_roots: Paths) -> pathlib.Path:
    make_private_directory(engine_roots.netns)
    return pathlib.Path(engine_roots.netns) / "abc"


def test_it_has_a_loopback_and_nothing_else(name: pathlib.Path) -> None:
    ours = os.readlink("/proc/thread-self/ns/net")
    create_network_namespace(str(name))
    links = programs.run(["nsenter", f"--net={name}", "ip", "-o", "address"]).stdout.decode().splitlines()
    assert [line.split()[1] for line in links if "127.0.0.1/8" in line] == ["lo"]
    assert {line.split()[1] for line in links} == {"lo"}
    assert os.readlink("/proc/thread-self/ns/net") == ours
    remove_network_namespace(str(name))
    assert not name.exists()


def test_a_name_is_given_once(name: pathlib.Path) -> None:
    create_network_namespace(str(name))
    with pytest.raises(Conflict, match="is a network namespace already"):
        create_network_namespace(str(name))
    remove_network_namespace(str(name))
    remove_network_namespace(str(name))


def test_what_a_crash_between_the_steps_left_is_used(name: pathlib.Path) -> None:
    name.touch()
    create_network_namespace(str(name))
    assert mounts.is_mounted(str(name))
    remove_network_namespace(str(name))


def test_a_failure_leaves_nothing(name: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_flags: int) -> None:
        raise OSError(1, "unshare: Operation not permitted")

    monkeypatch.setattr(syscalls, "unshare", refused)
    with pytest.raises(OSError, match="unshare"):
        create_network_namespace(str(name))
    assert not name.exists()
