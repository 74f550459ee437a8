# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Pulls and removals that are killed, lied to by the kernel, or cut off from power, at many points."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import list_images
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.faults import verbs
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.faults.injection import SYNCING
from ansible_collections.coracle.engine.tests.integration.faults.trials import (
    Trial,
    cut_power_everywhere,
    fail_everywhere,
    kill_everywhere,
)
from ansible_collections.coracle.engine.tests.integration.image.images import assert_whole, content, find

FILES = {"etc/motd": b"hello\n", **{f"data/{number}": b"%d" % number * 5000 for number in range(20)}}


def assert_true(engine: Engine) -> None:
    """Whatever the records and the names in the store promise is there, to the last byte."""
    blobs, store = BlobStore(engine.paths), LayerStore(engine.paths)
    for digest in blobs.digests():
        blobs.read(digest)
    assert [name for name in store.names() if not store.verify(name)] == []
    for record in list_images(engine.records.read()):
        assert_whole_content(engine, record)


def assert_whole_content(engine: Engine, record: t.Any) -> None:
    assert content(engine, record) == FILES
    blobs = BlobStore(engine.paths)
    for digest in (record.id, record.manifest_digest, *(layer.digest for layer in record.layers)):
        blobs.read(digest)


class Pull(Trial):
    verb = staticmethod(verbs.pull)

    def check_survived(self, engine: Engine) -> None:
        assert_true(engine)

    def check_done(self, engine: Engine) -> None:
        record = find(engine, self.arguments[0])
        assert record is not None
        assert_whole(engine, record)
        assert_whole_content(engine, record)

    def go_back(self, engine: Engine) -> None:
        verbs.drop_image(engine, self.arguments[0])


class Remove(Trial):
    verb = staticmethod(verbs.drop_image)

    def begin(self, engine: Engine) -> None:
        verbs.pull(engine, self.arguments[0])

    def check_survived(self, engine: Engine) -> None:
        assert_true(engine)

    def check_done(self, engine: Engine) -> None:
        assert find(engine, self.arguments[0]) is None


@pytest.fixture
def disk(work: pathlib.Path) -> t.Iterator[Disk]:
    with Disk(work, megabytes=64) as disk:
        yield disk


@pytest.mark.slow
def test_a_pull_is_killed_anywhere(engine_roots: Paths, app: str) -> None:
    kill_everywhere(Pull(engine_roots, app), limit=40)


@pytest.mark.slow
def test_a_removal_is_killed_anywhere(engine_roots: Paths, app: str) -> None:
    kill_everywhere(Remove(engine_roots, app), limit=20)


@pytest.mark.slow
def test_the_disk_fails_when_a_pull_is_synced(engine_roots: Paths, app: str) -> None:
    fail_everywhere(Pull(engine_roots, app), "EIO", SYNCING, limit=15)


@pytest.mark.slow
def test_the_disk_is_full_when_a_pull_writes(engine_roots: Paths, app: str) -> None:
    fail_everywhere(Pull(engine_roots, app), "ENOSPC", ["pwrite64", "?mkdir", "mkdirat", "write"], limit=15)


@pytest.mark.slow
def test_power_fails_during_a_pull(disk: Disk, app: str) -> None:
    cut_power_everywhere(Pull(disk.paths, app), disk, limit=15)


@pytest.mark.slow
def test_power_fails_during_a_removal(disk: Disk, app: str) -> None:
    cut_power_everywhere(Remove(disk.paths, app), disk, limit=10)


@pytest.mark.slow
def test_power_fails_on_a_disk_that_orders_nothing(work: pathlib.Path, app: str) -> None:
    with Disk(work, megabytes=64, options="data=writeback") as disk:
        cut_power_everywhere(Pull(disk.paths, app), disk, limit=6)
