# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Archives of ours, in the eyes of skopeo (with it podman), and of this engine."""

from __future__ import annotations

import io
import json
import os
import pathlib
import tarfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine, open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import IntegrityError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.load_image import load_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.save_image import (
    ImageToSave,
    save_images,
)
from ansible_collections.coracle.engine.tests.integration.image.images import (
    assert_whole,
    content,
    find,
    names,
)
from ansible_collections.coracle.engine.tests.integration.image.test_load import images_in, load
from ansible_collections.coracle.engine.tests.integration.registries import build_image, run

FIRST = [{"a": b"1"}, {"b": b"2" * 100_000}]
SECOND = [{"a": b"1"}, {"c": b"3"}]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Two images that share a layer."""
    work = tmp_path_factory.mktemp("sources")
    build_image(work / "first", FIRST)
    build_image(work / "second", SECOND)
    return work


@pytest.fixture
def saved(engine: Engine, sources: pathlib.Path, work: pathlib.Path) -> pathlib.Path:
    first = load(engine, sources / "first", "team/app:1", "team/app:latest").record
    second = load(engine, sources / "second", "registry.example.com/other:2").record
    images = [
        ImageToSave(first, ("docker.io/team/app:1", "docker.io/team/app:latest")),
        ImageToSave(second, ("registry.example.com/other:2",)),
    ]
    path = work / "saved.tar"
    with open(path, "wb") as file:
        written = save_images(engine, images, file)
    assert written == path.stat().st_size
    return path


def test_the_archive_is_a_layout_and_what_docker_writes(saved: pathlib.Path) -> None:
    with tarfile.open(saved) as archive:
        members = archive.getnames()
        assert len(set(members)) == len(members) == 3 + 2 * 2 + 3  # three layers, of which one is shared
        index = json.load(t.cast("t.IO[bytes]", archive.extractfile("index.json")))
        manifest = json.load(t.cast("t.IO[bytes]", archive.extractfile("manifest.json")))
    assert [entry["annotations"] for entry in index["manifests"]] == [
        {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
        for name in ("docker.io/team/app:1", "docker.io/team/app:latest", "registry.example.com/other:2")
    ]
    assert [entry["RepoTags"] for entry in manifest] == [
        ["team/app:1", "team/app:latest"],
        ["registry.example.com/other:2"],
    ]
    assert saved.stat().st_size % 10240 == 0


@pytest.mark.parametrize(
    "source",
    ["docker-archive:{}:team/app:1", "docker-archive:{}:team/app:latest", "oci-archive:{}:latest"],
)
def test_skopeo_reads_both(saved: pathlib.Path, work: pathlib.Path, engine: Engine, source: str) -> None:
    run(["skopeo", "copy", "--quiet", source.format(saved), f"oci:{work}/copy:x"])
    again = load(engine, work / "copy")
    assert content(engine, again.record) == {"a": b"1", "b": b"2" * 100_000}
    assert again.record.image_config.diff_ids == find(engine, "team/app:1").image_config.diff_ids


def test_what_is_loaded_again_is_the_same(saved: pathlib.Path, engine: Engine, work: pathlib.Path) -> None:
    with open_engine(str(work / "root"), str(work / "run")) as other:
        archived = images_in(saved)
        assert [image.names for image in archived] == [
            ("docker.io/team/app:1", "1", "docker.io/team/app:latest", "latest"),
            ("registry.example.com/other:2", "2"),
        ]
        for image in archived:
            load_image(other, image, [parse_reference(image.names[0])])
        for name in ("team/app:1", "registry.example.com/other:2"):
            record = find(other, name)
            assert record == find(engine, name)
            assert_whole(other, record)
        assert names(other, find(other, "team/app:1")) == ["docker.io/team/app:1"]


def test_an_image_by_id_has_no_name(engine: Engine, sources: pathlib.Path, work: pathlib.Path) -> None:
    record = load(engine, sources / "second").record
    sink = io.BytesIO()
    save_images(engine, [ImageToSave(record)], sink)
    (work / "nameless.tar").write_bytes(sink.getvalue())
    [image] = images_in(work / "nameless.tar")
    assert (image.names, image.parts.id) == ((), record.id)
    again = io.BytesIO()
    save_images(engine, [ImageToSave(record)], again)
    assert again.getvalue() == sink.getvalue()


def test_a_damaged_blob_is_not_passed_on(engine: Engine, sources: pathlib.Path) -> None:
    record = load(engine, sources / "second").record
    path = BlobStore(engine.paths).path(record.layers[1].digest)
    with open(path, "r+b") as file:
        file.write(b"\xff\xff")
    with pytest.raises(IntegrityError, match="save images: "):
        save_images(engine, [ImageToSave(record)], io.BytesIO())
    os.unlink(path)
    with pytest.raises(IntegrityError, match=r"is gone \(pull or load the image again\)"):
        save_images(engine, [ImageToSave(record)], io.BytesIO())
