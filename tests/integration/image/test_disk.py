# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Disks that are too small, full, read-only: one sentence, and everything as it was before."""

from __future__ import annotations

import gzip
import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import StorageError
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.image.images import (
    NOTHING,
    assert_whole,
    find,
    pull,
    stored,
)
from ansible_collections.coracle.engine.tests.integration.registry import hostile
from ansible_collections.coracle.engine.tests.integration.registry.hostile import Site, blob_path, digest

MIB = 1 << 20


@pytest.fixture
def disk(work: pathlib.Path) -> t.Iterator[Disk]:
    with Disk(work, megabytes=64) as disk:
        yield disk


def use(site: Site, files: t.Mapping[str, bytes]) -> bytes:
    """Make `files` the second layer of the image; its blob."""
    tar = hostile._tar(files)
    site.layers[1] = gzip.compress(tar, 1, mtime=0)
    site.config["rootfs"]["diff_ids"][1] = digest(tar)
    site.publish()
    return site.layers[1]


def used(disk: Disk) -> int:
    found = os.statvfs(disk.mount_point)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def test_what_cannot_fit_is_not_begun(disk: Disk, site: Site, app: str) -> None:
    blob = use(site, {"noise": os.urandom(40 * MIB)})
    with open_engine(*disk.paths) as engine:
        with pytest.raises(StorageError, match=r"not enough space in .*: 84 MB are needed, \d+ MB are free"):
            pull(engine, app)
        assert stored(disk.paths) == NOTHING
    assert site.server.asked(blob_path(blob)) == []


def test_what_grows_too_large_is_removed_again(disk: Disk, site: Site, app: str) -> None:
    """Its blob is small: nobody can know before."""
    use(site, {f"zeros-{number}": bytes(10 * MIB) for number in range(8)})
    with open_engine(*disk.paths) as engine:
        with pytest.raises(StorageError, match=r"^pull .*: layer .*removed again \(.*free some space"):
            pull(engine, app)
        assert stored(disk.paths) == NOTHING
        assert find(engine, app) is None
        use(site, {"small": b"enough"})
        assert_whole(engine, pull(engine, app).record)


def test_a_part_of_the_disk_stays_free(disk: Disk, site: Site, app: str) -> None:
    use(site, {"noise": os.urandom(MIB)})
    with open_engine(*disk.paths) as engine:
        pull(engine, app)
        found = os.statvfs(disk.mount_point)
        with open(disk.mount_point / "filling", "wb") as filling:
            os.posix_fallocate(filling.fileno(), 0, found.f_bavail * found.f_frsize - 3 * MIB)
        use(site, {"noise": os.urandom(MIB)})
        before, size = stored(disk.paths), used(disk)
        with pytest.raises(StorageError, match="have to stay free"):
            pull(engine, app)
        assert stored(disk.paths) == before
        assert used(disk) <= size + 65536


def test_a_disk_without_inodes(work: pathlib.Path, site: Site, app: str) -> None:
    use(site, {f"file-{number}": b"" for number in range(2000)})
    with Disk(work, megabytes=64) as disk:
        free = os.statvfs(disk.mount_point).f_favail
        crowd = disk.mount_point / "crowd"
        crowd.mkdir()
        for number in range(free - 500):
            (crowd / str(number)).touch()
        with open_engine(*disk.paths) as engine:
            with pytest.raises(StorageError, match="No space left"):
                pull(engine, app)
            assert stored(disk.paths) == NOTHING


def test_a_read_only_disk(disk: Disk, site: Site, app: str) -> None:
    with open_engine(*disk.paths) as engine:
        record = pull(engine, app).record
    before = stored(disk.paths)
    use(site, {"more": b"more"})
    _remount(disk, "ro")
    try:
        with (
            open_engine(*disk.paths) as engine,
            pytest.raises(StorageError, match=r"disk is mounted|Read-only"),
        ):
            pull(engine, app)
    finally:
        _remount(disk, "rw")
    assert stored(disk.paths) == before
    with open_engine(*disk.paths) as engine:
        assert find(engine, app) == record
        assert_whole(engine, pull(engine, app).record)


def _remount(disk: Disk, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk.mount_point)], check=True)
