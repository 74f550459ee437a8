# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Pruning, killed or refused by the disk at many points: what stays is whole, the rest goes next time."""

from __future__ import annotations

import io
import os
import pathlib
import tarfile

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import list_containers
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import list_images
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.check_containers import (
    check_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.import_rootfs import (
    import_rootfs,
    read_rootfs,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.tag_image import tag_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.records import list_volumes
from ansible_collections.coracle.engine.tests.integration.container.harbour import store_image
from ansible_collections.coracle.engine.tests.integration.faults import verbs
from ansible_collections.coracle.engine.tests.integration.faults.injection import NAMING, SYNCING
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    fail_everywhere,
    kill_everywhere,
)

pytestmark = pytest.mark.slow


class Prune(Trial):
    """Two containers with volumes and what they wrote, an image without a name, and one that stays."""

    verb = staticmethod(verbs.prune)

    def __init__(self, paths: Paths, tar: pathlib.Path) -> None:
        super().__init__(paths)
        self._tar = tar

    def begin(self, engine: Engine) -> None:
        for name in ("one", "two"):
            verbs.create_with_volume(engine, name, "/data")
            upper = os.path.join(engine.paths.container(self._id(engine, name)), "upper")
            os.makedirs(upper, exist_ok=True)
            pathlib.Path(upper, "written").write_bytes(b"x" * 1000)
        import_rootfs(engine, read_rootfs(engine, str(self._tar), ImageConfig(architecture="amd64")), [])

    def check_survived(self, engine: Engine) -> None:
        """Records can be read, and the layers of all images that are there are whole."""
        store = LayerStore(engine.paths)
        for image in list_images(engine.records.read()):
            assert [name for name in image.mounted_directories if not store.verify(name)] == []
        assert len(list_containers(engine.records)) <= 2

    def check_done(self, engine: Engine) -> None:
        assert list_containers(engine.records, hidden=True) == []
        assert list_volumes(engine.records.read()) == []
        assert len(list_images(engine.records.read())) == 1
        assert list(check_containers(engine)) == []
        LayerStore(engine.paths).sweep()

    def _id(self, engine: Engine, name: str) -> str:
        return next(record.id for record in list_containers(engine.records) if record.name == name)


@pytest.fixture
def trial(engine_roots: Paths, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path) -> Prune:
    store_image(engine_roots, busybox_rootfs_tar)
    with Engine(engine_roots) as engine:
        [image] = list_images(engine.records.read())
        tag_image(engine, image.id, parse_reference("busybox:1"))
    tar = tmp_path / "nameless.tar"
    with tarfile.open(tar, "w") as archive:
        member = tarfile.TarInfo("file")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    return Prune(engine_roots, tar)


def test_killed_anywhere(trial: Prune) -> None:
    kill_everywhere(trial, limit=25)


def test_the_disk_refuses(trial: Prune) -> None:
    fail_everywhere(trial, "EIO", (*SYNCING, *NAMING), limit=12)
