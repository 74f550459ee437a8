# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Layers at rest: nothing half is ever taken for whole, whatever is killed, full or without power."""

from __future__ import annotations

import hashlib
import os
import pathlib
import threading

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import StorageError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.assemble import Assembly
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import (
    LayerStore,
    StagedLayer,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.worker import ExtractionPool
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.faults.injection import STATE_CHANGING, SYNCING
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    cut_power_everywhere,
    fail_everywhere,
    kill_everywhere,
)
from ansible_collections.coracle.engine.tests.integration.layers import verbs
from ansible_collections.coracle.engine.tests.integration.layers.conftest import Images, fill
from ansible_collections.coracle.engine.tests.integration.layers.judge import Tree, look
from ansible_collections.coracle.engine.tests.tars import (
    archive,
    directory,
    file,
    hard_link,
    symbolic_link,
    whiteout,
)

LAYER = archive(directory("d", 0o700, uid=5), file("d/x", os.urandom(70_000)), file("d/y", b"y"))
NAME = hashlib.sha256(LAYER).hexdigest()

# With a layer that has to be unpacked over its parents, and a directory whose metadata has to be put right.
IMAGE = [
    archive(
        directory("usr", 0o711, uid=9),
        directory("usr/lib"),
        symbolic_link("lib", "usr/lib"),
        file("old", b"o"),
    ),
    archive(file("usr/data", os.urandom(50_000)), whiteout("old")),
    archive(file("lib/x", os.urandom(20_000)), hard_link("y", "usr/data")),
    archive(file("usr/more", b"more")),
]


def staged_layer(images: Images, pool: ExtractionPool) -> StagedLayer:
    staged = images.store.stage(f"sha256:{NAME}")
    fill(pool, staged, LAYER, "none")
    return staged


def content(images: Images, name: str) -> Tree:
    return look(images.store.path(name))


# Records


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"version": 2}',
        b'{"version": 1, "diff_id": "x"}',
        b"[" * 100_000,
    ],
)
def test_a_layer_without_a_right_record_is_garbage(images: Images, record: bytes) -> None:
    assembly = images.lay_out(LAYER)
    before = content(images, NAME)
    path = pathlib.Path(images.paths.layers, NAME, "layer.json")
    path.write_bytes(record)
    assert images.store.record(NAME) is None
    assert not images.store.verify(NAME)
    assert images.lay_out(LAYER) == assembly
    assert images.store.verify(NAME)
    assert content(images, NAME) == before
    assert os.listdir(images.paths.trash) == os.listdir(images.paths.staging) == []


def test_a_record_that_is_a_pipe_does_not_hang(images: Images) -> None:
    images.lay_out(LAYER)
    path = os.path.join(images.paths.layers, NAME, "layer.json")
    os.unlink(path)
    os.mkfifo(path)
    assert images.store.record(NAME) is None


def test_verify_counts_names_and_bytes(images: Images) -> None:
    images.lay_out(LAYER)
    record = images.store.record(NAME)
    assert record is not None
    assert (record.entries, record.bytes) == (3, 70_001)
    root = pathlib.Path(images.store.path(NAME))
    (root / "d" / "x").write_bytes(b"")  # what a power cut does to what was not synced
    assert not images.store.verify(NAME)
    images.lay_out(LAYER)
    assert images.store.verify(NAME)
    (root / "d" / "y").unlink()
    assert not images.store.verify(NAME)


# Making and removing


def test_the_same_layer_twice_at_once(images: Images) -> None:
    with ExtractionPool() as pool, staged_layer(images, pool) as first, staged_layer(images, pool) as second:
        threads = [
            threading.Thread(target=images.store.publish, args=([layer],)) for layer in (first, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert images.store.verify(NAME)
    assert os.listdir(images.paths.staging) == []
    assert images.store.names() == [NAME]


def test_published_over_something_damaged(images: Images) -> None:
    images.lay_out(LAYER)
    with ExtractionPool() as pool, staged_layer(images, pool) as good:
        os.unlink(os.path.join(images.store.path(NAME), "d", "x"))
        images.store.publish([good])
    assert images.store.verify(NAME)
    assert os.listdir(images.paths.trash) == []


def test_discarded_unless_published(images: Images) -> None:
    with ExtractionPool() as pool, staged_layer(images, pool):
        pass
    assert images.store.names() == os.listdir(images.paths.staging) == []


def test_sweep_spares_what_is_being_made(images: Images) -> None:
    with ExtractionPool() as pool, staged_layer(images, pool) as alive:
        dead = os.path.join(images.paths.staging, f"{'0' * 64}.0123456789abcdef")
        os.makedirs(os.path.join(dead, "diff", "deep"))
        foreign = os.path.join(images.paths.staging, "not-ours")
        os.mkdir(foreign)
        os.makedirs(os.path.join(images.paths.trash, "x", "y"))
        images.store.sweep()
        assert sorted(os.listdir(images.paths.staging)) == [os.path.basename(alive.directory), "not-ours"]
        assert os.listdir(images.paths.trash) == []
        images.store.publish([alive])
        os.rmdir(foreign)
    assert images.store.verify(NAME)


def test_remove_is_idempotent(images: Images) -> None:
    images.store.remove(NAME)
    images.lay_out(LAYER)
    images.store.remove(NAME)
    images.store.remove(NAME)
    images.store.sweep()
    assert images.store.names() == []


# Faults


class LayOut(Trial):
    """The image with all its kinds of layers; `seen`: what a container saw the first time."""

    verb = staticmethod(verbs.lay_out)

    def __init__(self, paths: Paths, place: pathlib.Path) -> None:
        files = [place / f"{number}.tar" for number in range(len(IMAGE))]
        for path, layer in zip(files, IMAGE):
            path.write_bytes(layer)
        super().__init__(paths, *map(str, files))
        self.assembly: Assembly | None = None
        self.seen: Tree = {}

    def begin(self, engine: Engine) -> None:
        """The directories that stay: layers/, staging/, trash/."""
        LayerStore(engine.paths).stage(f"sha256:{NAME}").close()
        os.makedirs(engine.paths.trash, exist_ok=True)

    def check_survived(self, engine: Engine) -> None:
        store = LayerStore(engine.paths)
        assert all(store.verify(name) for name in store.names() if store.record(name))

    def check_done(self, engine: Engine) -> None:
        images = Images(engine.paths)
        assembly = images.lay_out(*IMAGE)
        assert images.reopened == []
        assert all(map(images.store.verify, [*assembly.directories, str(assembly.parents_layer)]))
        with images.mounted(assembly) as root:
            seen = look(root)
        if self.assembly is None:
            self.assembly, self.seen = assembly, seen
        assert (self.assembly, self.seen) == (assembly, seen)

    def go_back(self, engine: Engine) -> None:
        os.rmdir(engine.paths.containers)


def test_killed_anywhere(engine_roots: Paths, place: pathlib.Path) -> None:
    kill_everywhere(LayOut(engine_roots, place), limit=32)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_the_disk_refuses_anywhere(engine_roots: Paths, place: pathlib.Path, error: str) -> None:
    syscalls = SYNCING if error == "EIO" else STATE_CHANGING
    fail_everywhere(LayOut(engine_roots, place), error, syscalls, limit=12)


@pytest.mark.parametrize(
    ("filesystem", "options"), [("ext4", ""), ("ext4", "data=writeback"), ("xfs", "")], ids=str
)
def test_power_cut_anywhere(engine_roots: Paths, place: pathlib.Path, filesystem: str, options: str) -> None:
    with Disk(place, filesystem=filesystem, options=options) as disk:
        cut_power_everywhere(LayOut(disk.paths, place), disk, limit=6)


def test_a_full_disk_leaves_nothing(place: pathlib.Path) -> None:
    with Disk(place, megabytes=32) as disk:
        images = Images(disk.paths)
        large = archive(file("large", os.urandom(60 << 20)))
        with pytest.raises(StorageError, match="free some space"):
            images.lay_out(LAYER, large)
        assert images.store.names() == os.listdir(disk.paths.staging) == []
        images.lay_out(LAYER)
        assert images.store.verify(NAME)


def test_a_disk_without_inodes_leaves_nothing(place: pathlib.Path) -> None:
    with Disk(place, megabytes=32) as disk:
        images = Images(disk.paths)
        inodes = os.statvfs(disk.mount_point).f_favail
        many = archive(*(file(f"d{number % 50}/f{number}") for number in range(inodes)))
        with pytest.raises(StorageError, match="No space left"):
            images.lay_out(many)
        assert images.store.names() == os.listdir(disk.paths.staging) == []
        assert os.statvfs(disk.mount_point).f_favail > inodes - 20
