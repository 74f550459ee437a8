# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Archives of other tools, and hostile ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import tarfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
    InvalidInput,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.list_archived_images import (
    ArchivedImage,
    choose_image,
    list_archived_images,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.load_image import load_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.open_archive import (
    open_archive,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.store_image import Pulled
from ansible_collections.coracle.engine.tests.integration.image.images import (
    AMD64,
    NOTHING,
    assert_whole,
    content,
    find,
    names,
    stored,
)
from ansible_collections.coracle.engine.tests.integration.registries import (
    Image,
    build_image,
    recompressed,
    run,
)

FILES = {"a": b"1", "b": b"2", "dir/c": b"3" * 300_000}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """One image as a layout, and as what other tools write."""
    work = tmp_path_factory.mktemp("archives")
    image = build_image(work / "layout", [{"a": b"1", "b": b"1"}, {"b": b"2"}, {"dir/c": b"3" * 300_000}])
    for name, target in {
        "docker.tar": f"docker-archive:{work}/docker.tar:team/app:1",
        "oci.tar": f"oci-archive:{work}/oci.tar:team/app:1",
    }.items():
        run(["skopeo", "copy", "--quiet", image.source, target])
        run(["gzip", "--keep", "-1", str(work / name)])
        run(["zstd", "-q", str(work / name)])
    recompressed(image, "zstd")
    recompressed(image, "none")
    return work


def images_in(path: pathlib.Path) -> list[ArchivedImage]:
    return list_archived_images(open_archive(str(path)), AMD64)


def load(engine: Engine, path: pathlib.Path, *names: str, wanted: str | None = None) -> Pulled:
    image = choose_image(images_in(path), wanted, str(path))
    try:
        return load_image(engine, image, [parse_reference(name) for name in names])
    finally:
        image.archive.close()


@pytest.mark.parametrize(
    "name",
    [
        "layout",
        "layout-zstd",
        "layout-none",
        "oci.tar",
        "oci.tar.gz",
        "oci.tar.zst",
        "docker.tar",
        "docker.tar.gz",
        "docker.tar.zst",
    ],
)
def test_every_kind_of_archive(engine: Engine, archives: pathlib.Path, name: str) -> None:
    loaded = load(engine, archives / name, "web:1")
    assert (loaded.layers, loaded.reused) == (3, 0)
    assert loaded.bytes > 0
    assert content(engine, loaded.record) == FILES
    assert names(engine, loaded.record) == ["docker.io/library/web:1"]
    assert find(engine, "web:1") == loaded.record
    assert_whole(engine, loaded.record)


def test_the_same_image_from_anywhere_has_the_same_id(engine: Engine, archives: pathlib.Path) -> None:
    first = load(engine, archives / "layout")
    again = load(engine, archives / "docker.tar.gz")
    assert again.record.id == first.record.id
    assert (again.bytes, again.layers, again.reused) == (0, 0, 3)


def test_names_in_an_archive_are_never_given(engine: Engine, archives: pathlib.Path) -> None:
    [image] = images_in(archives / "docker.tar")
    assert image.names == ("docker.io/team/app:1",)
    loaded = load(engine, archives / "docker.tar")
    assert names(engine, loaded.record) == []
    assert find(engine, "team/app:1") is None


# Several images in one archive


def save(path: pathlib.Path, *images: Image) -> None:
    """As docker save does: layers that are shared are symbolic links in the second image."""
    written: dict[str, str] = {}
    manifest = []
    with tarfile.open(path, "w") as archive:
        for image in images:
            config, tars = parts_of(image)
            layers = []
            for number, layer in enumerate(tars):
                member = f"{hashlib.sha256(config + b'%d' % number).hexdigest()}/layer.tar"
                found = hashlib.sha256(layer).hexdigest()
                if found in written:
                    link = tarfile.TarInfo(member)
                    link.type, link.linkname = tarfile.SYMTYPE, f"../{written[found]}"
                    archive.addfile(link)
                else:
                    add(archive, member, layer)
                    written[found] = member
                layers.append(member)
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            add(archive, name, config)
            manifest.append({"Config": name, "RepoTags": [f"app:{image.tag}"], "Layers": layers})
        add(archive, "manifest.json", json.dumps(manifest).encode())


def parts_of(image: Image) -> tuple[bytes, list[bytes]]:
    """The configuration and the uncompressed layers."""
    blobs = image.layout / "blobs" / "sha256"
    index = json.loads((image.layout / "index.json").read_text())
    [entry] = [
        entry
        for entry in index["manifests"]
        if entry["annotations"]["org.opencontainers.image.ref.name"] == image.tag
    ]
    manifest = json.loads((blobs / entry["digest"][7:]).read_text())
    layers = [gzip.decompress((blobs / layer["digest"][7:]).read_bytes()) for layer in manifest["layers"]]
    return (blobs / manifest["config"]["digest"][7:]).read_bytes(), layers


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


@pytest.fixture
def two(work: pathlib.Path) -> pathlib.Path:
    """Two images that share a layer, as docker save writes them."""
    first = build_image(work / "two", [{"base": b"shared"}, {"top": b"1"}], tag="1")
    tree = work / "tree"
    tree.mkdir()
    (tree / "top").write_bytes(b"2")
    shutil.copytree(first.layout, work / "second")
    run(["umoci", "tag", "--image", f"{work}/second:1", "2"])
    run(["umoci", "insert", "--image", f"{work}/second:2", str(tree), "/"])
    save(work / "two.tar", first, Image(work / "second", "2"))
    return work / "two.tar"


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_one_of_several_images_is_chosen_by_its_name(
    engine: Engine, two: pathlib.Path, compressed: bool
) -> None:
    if compressed:
        run(["gzip", "-1", str(two)])
        two = two.with_suffix(".tar.gz")
    for tag in ("1", "2"):
        loaded = load(engine, two, f"mine:{tag}", wanted=f"docker.io/library/app:{tag}")
        assert content(engine, loaded.record)["top"] == tag.encode()
        assert content(engine, loaded.record)["base"] == b"shared"
        assert_whole(engine, loaded.record)
    with pytest.raises(InvalidInput, match=r"has 2 images: app:1, app:2 \(say which one with archive_name"):
        load(engine, two, wanted="app:3")


def test_platforms_in_one_layout(engine: Engine, work: pathlib.Path) -> None:
    for architecture in ("arm64", "amd64"):
        build_image(
            work / "multi", [{"for": architecture.encode()}], tag=architecture, architecture=architecture
        )
    index = json.loads((work / "multi" / "index.json").read_text())
    for entry in index["manifests"]:
        tag = entry.pop("annotations")["org.opencontainers.image.ref.name"]
        entry["platform"] = {"os": "linux", "architecture": tag}
    (work / "multi" / "index.json").write_text(json.dumps(index))
    assert content(engine, load(engine, work / "multi").record) == {"for": b"amd64"}


# What is no image, or a trap


@pytest.fixture
def layout(archives: pathlib.Path, work: pathlib.Path) -> pathlib.Path:
    shutil.copytree(archives / "layout-none", work / "layout")
    return work / "layout"


def largest(layout: pathlib.Path) -> pathlib.Path:
    return max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)


def test_a_blob_that_is_a_symbolic_link_is_not_there(engine: Engine, layout: pathlib.Path) -> None:
    victim = largest(layout)
    victim.rename(layout.parent / "elsewhere")
    victim.symlink_to(layout.parent / "elsewhere")
    with pytest.raises(IntegrityError, match=r"blobs/sha256/.* is not in it as a regular file"):
        load(engine, layout)
    assert stored(engine.paths) == NOTHING


def test_a_directory_that_is_a_symbolic_link_is_not_there(engine: Engine, layout: pathlib.Path) -> None:
    (layout / "blobs").rename(layout.parent / "blobs")
    (layout / "blobs").symlink_to(layout.parent / "blobs")
    with pytest.raises(CoracleError):
        load(engine, layout)
    assert stored(engine.paths) == NOTHING


def test_wrong_bytes_are_refused(engine: Engine, layout: pathlib.Path) -> None:
    victim = largest(layout)
    data = bytearray(victim.read_bytes())
    data[700] ^= 1
    victim.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"^load image"):
        load(engine, layout)
    assert stored(engine.paths) == NOTHING


def test_a_layer_that_links_to_a_file_of_the_host(engine: Engine, work: pathlib.Path) -> None:
    config = json.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "a" * 64]},
        }
    ).encode()
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        with tarfile.open(work / "evil.tar", "w") as archive:
            link = tarfile.TarInfo("x/layer.tar")
            link.type, link.linkname = kind, "../../../etc/shadow"
            archive.addfile(link)
            add(archive, "config.json", config)
            add(
                archive,
                "manifest.json",
                json.dumps([{"Config": "config.json", "Layers": ["x/layer.tar"]}]).encode(),
            )
        with pytest.raises(IntegrityError, match="is not in it as a regular file"):
            load(engine, work / "evil.tar")
    assert stored(engine.paths) == NOTHING


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ({}, "neither an OCI layout nor written by docker save"),
        ({"manifest.json": b"{}"}, "not a list of images"),
        ({"manifest.json": b"[]"}, "not a list of images"),
        ({"manifest.json": b"[1]"}, "an image is not an object"),
        ({"manifest.json": b'[{"Config": 1}]'}, "Config is not what it should be"),
        ({"manifest.json": b'[{"Config": "../../etc/passwd"}]'}, "has no member"),
        ({"manifest.json": b'[{"Config": "c"}]', "c": b"nothing"}, "not valid JSON"),
        ({"manifest.json": b'[{"Config": "c", "Layers": ["l"]}]', "c": b"{}"}, "1 layers and 0 diff ids"),
        ({"manifest.json": b"[" * 100_000}, "nested too deeply|not valid JSON"),
        ({"manifest.json": b" " * (5 << 20)}, "more than 4194304 bytes"),
        ({"index.json": b"{}"}, "neither a manifest nor an index"),
        ({"index.json": b'{"schemaVersion": 2, "manifests": []}'}, "there is no image in it"),
    ],
)
def test_what_is_no_image_is_refused_with_a_sentence(
    engine: Engine, work: pathlib.Path, documents: t.Mapping[str, bytes], message: str
) -> None:
    path = work / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for name, data in documents.items():
            add(archive, name, data)
    for archive_path in (path, _compressed(path)):
        with pytest.raises(CoracleError, match=message):
            load(engine, archive_path)
    assert stored(engine.paths) == NOTHING


def _compressed(path: pathlib.Path) -> pathlib.Path:
    target = path.with_suffix(".gz")
    target.write_bytes(gzip.compress(path.read_bytes(), 1))
    return target


def test_two_members_of_one_name_are_refused(engine: Engine, work: pathlib.Path) -> None:
    with tarfile.open(work / "twice.tar", "w") as archive:
        add(archive, "manifest.json", b"[]")
        add(archive, "./manifest.json", b"[]")
    with pytest.raises(IntegrityError, match=r"two members called manifest\.json"):
        load(engine, work / "twice.tar")


@pytest.mark.parametrize("size", [0, 1, 512, 700, 100_000])
def test_truncated_and_random_files_are_refused(
    engine: Engine, archives: pathlib.Path, work: pathlib.Path, size: int
) -> None:
    (work / "short.tar").write_bytes((archives / "docker.tar").read_bytes()[:size])
    (work / "random").write_bytes(os.urandom(size))
    for name in ("short.tar", "random"):
        with pytest.raises((IntegrityError, InvalidInput)):
            load(engine, work / name)
    assert stored(engine.paths) == NOTHING


def test_what_is_not_there_and_what_is_no_file(work: pathlib.Path) -> None:
    with pytest.raises(NotFound, match="there is no such file or directory"):
        open_archive(str(work / "nothing"))
    os.mkfifo(work / "fifo")
    with pytest.raises(InvalidInput, match="neither a file nor a directory"):
        open_archive(str(work / "fifo"))
