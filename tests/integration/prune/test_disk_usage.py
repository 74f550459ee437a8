# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is said to be on disk is what is on disk."""

from __future__ import annotations

import os
import pathlib

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.disk_usage import (
    Usage,
    disk_usage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pull_image import pull_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.tests.integration.container.harbour import wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.prune.test_module import prune, used


def test_nothing_takes_nothing(bare_target: Target) -> None:
    with Engine(bare_target.paths) as engine:
        found = disk_usage(engine)
    assert set(found[:5]) == {Usage()}
    assert not os.path.exists(bare_target.paths.root)


def test_every_kind(target: Target) -> None:
    write = ["/bin/sh", "-c", "echo hello; /bin/dd if=/dev/zero of=/written bs=1000 count=5; sleep 1000"]
    target.make(name="up", command=write, volumes=["data:/data"])
    target.make(name="down", command=write)
    with Engine(target.paths) as engine:
        wait_until(lambda: disk_usage(engine).containers.size, lambda size: size == 10000)
        stop_container(engine, "down", timeout=0)
        second = parse_reference(target.image.replace(":1", ":2"))
        pull_image(engine, second, RegistryOptions(insecure_registries=(target.registry,)))
        pathlib.Path(target.paths.volumes, "data", "_data", "file").write_bytes(b"x" * 300)
        found = disk_usage(engine)
    assert found.containers == Usage(2, 1, 10000, 5000)
    assert found.volumes == Usage(1, 1, 300, 0)
    assert (found.logs.total, found.logs.active) == (2, 1)
    assert found.logs.size > found.logs.reclaimable > len("hello")
    assert (found.images.total, found.images.active) == (2, 1)
    assert found.images.size == used(target)
    shared = {image.shared for image in found.image_list}
    assert len(shared) == 1
    assert found.images.size == sum(image.size - image.shared for image in found.image_list) + shared.pop()
    [pruned] = target.run(prune(target, images=True, images_filters={"dangling": False}))
    assert pruned["images_space_reclaimed"] == found.images.reclaimable
    target.remove("up")
    target.remove("down")
