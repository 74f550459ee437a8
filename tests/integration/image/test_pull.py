# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Pulls: what they leave on disk, what they take from the registry, and what they refuse."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import ImageRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    CoracleError,
    IntegrityError,
    NotFound,
    RegistryError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import Platform
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.collect_garbage import (
    collect_garbage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.repair_image import (
    damaged_layers,
    repair_image,
)
from ansible_collections.coracle.engine.tests.integration.image.images import (
    IMPATIENT,
    NOTHING,
    assert_whole,
    content,
    find,
    names,
    pull,
    stored,
)
from ansible_collections.coracle.engine.tests.integration.registries import (
    Registry,
    build_image,
    recompressed,
    running_registry,
)
from ansible_collections.coracle.engine.tests.integration.registry.hostile import (
    Reply,
    Request,
    Server,
    Site,
    blob_path,
    digest,
)


def layer_requests(site: Site) -> list[Request]:
    return [request for layer in site.layers for request in site.server.asked(blob_path(layer))]


def layer_file(engine: Engine, record: ImageRecord, name: str) -> str:
    """The path of a file in one of the layers."""
    for directory in record.directories:
        path = os.path.join(engine.paths.layers, directory, "diff", name)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(name)


# What is there afterwards


def test_an_image_is_on_disk_and_found_by_its_name(engine: Engine, site: Site, app: str) -> None:
    pulled = pull(engine, app)
    assert (pulled.layers, pulled.reused) == (2, 0)
    assert pulled.bytes == sum(map(len, site.layers))
    record = find(engine, app)
    assert record == pulled.record
    assert record.id == digest(site.blobs[0])
    assert names(engine, record) == [app]
    assert content(engine, record) == {
        "etc/motd": b"hello\n",
        **{f"data/{number}": b"%d" % number * 5000 for number in range(20)},
    }
    assert record.size == sum(map(len, content(engine, record).values()))
    assert_whole(engine, record)


def test_a_second_pull_takes_no_layer(engine: Engine, site: Site, app: str) -> None:
    first = pull(engine, app)
    before = stored(engine.paths)
    site.server.requests.clear()
    again = pull(engine, app)
    assert (again.bytes, again.layers, again.reused) == (0, 0, 2)
    assert again.record == first.record
    assert layer_requests(site) == []
    assert stored(engine.paths) == before


def test_the_digest_of_the_index_and_of_the_manifest_find_what_the_tag_brought(
    engine: Engine, site: Site, app: str
) -> None:
    pulled = pull(engine, app)
    repository = app.rpartition(":")[0]
    index = digest(site.server.routes["/v2/app/manifests/1"].body)  # type: ignore[union-attr]
    for found in (index, pulled.record.manifest_digest):
        assert find(engine, f"{repository}@{found}") == pulled.record


def test_a_pull_by_digest_leaves_the_digest_as_name(engine: Engine, site: Site, app: str) -> None:
    index = digest(site.server.routes["/v2/app/manifests/1"].body)  # type: ignore[union-attr]
    repository = app.rpartition(":")[0]
    pulled = pull(engine, f"{app}@{index}")
    assert names(engine, pulled.record) == [f"{repository}@{index}"]
    assert find(engine, app) is None
    assert find(engine, f"{repository}@{index}") == pulled.record


def test_a_digest_that_the_registry_cannot_keep_is_refused(engine: Engine, site: Site, app: str) -> None:
    wanted = digest(b"another index")
    site.route(f"/v2/app/manifests/{wanted}", site.server.routes["/v2/app/manifests/1"])
    with pytest.raises(IntegrityError, match="wrong manifest"):
        pull(engine, f"{app}@{wanted}")
    assert stored(engine.paths) == NOTHING


def test_a_tag_that_moves_takes_the_name_along_and_leaves_the_old_image(
    engine: Engine, site: Site, app: str
) -> None:
    old = pull(engine, app).record
    site.config["config"]["Cmd"] = ["/bin/false"]
    site.publish()
    new = pull(engine, app)
    assert new.record.id != old.id
    assert (new.layers, new.reused) == (0, 2)
    assert find(engine, app) == new.record
    assert names(engine, old) == []


def test_another_platform_is_taken_when_asked_for_and_refused_when_not_there(
    engine: Engine, site: Site, app: str
) -> None:
    with pytest.raises(NotFound, match=r"no image for linux/arm64.*linux/amd64, linux/s390x"):
        pull(engine, app, Platform("linux", "arm64"))
    assert stored(engine.paths) == NOTHING


def test_a_manifest_for_another_platform_is_refused(engine: Engine, server: Server) -> None:
    site = Site(server, architecture="arm64")
    with pytest.raises(NotFound, match="the image is for linux/arm64, not for linux/amd64"):
        pull(engine, f"{server.host}/app:1")
    assert stored(engine.paths) == NOTHING
    assert layer_requests(site) == []


def test_a_layer_that_occurs_twice_is_taken_once(engine: Engine, site: Site, app: str) -> None:
    site.layers.append(site.layers[0])
    diff_ids = site.config["rootfs"]["diff_ids"]
    diff_ids.append(diff_ids[0])
    site.publish()
    pulled = pull(engine, app)
    assert (pulled.layers, pulled.reused) == (2, 1)
    assert len(site.server.asked(blob_path(site.layers[0]))) == 1
    assert_whole(engine, pulled.record)


def test_an_image_without_layers(engine: Engine, site: Site, app: str) -> None:
    site.layers.clear()
    site.config["rootfs"]["diff_ids"] = []
    site.publish()
    pulled = pull(engine, app)
    assert (pulled.record.directories, pulled.record.size, pulled.layers) == ((), 0, 0)
    assert_whole(engine, pulled.record)


def test_a_layer_that_only_makes_sense_on_its_parents_is_kept_and_repaired(
    engine: Engine, site: Site, app: str
) -> None:
    """It writes through a symbolic link of the layer below: an own directory for this chain of layers."""
    tars = [tar_of(("usr/lib/", None), ("lib", "usr/lib")), tar_of(("lib/new", b"through the link"))]
    site.layers = [gzip.compress(tar, 1, mtime=0) for tar in tars]
    site.config["rootfs"]["diff_ids"] = [digest(tar) for tar in tars]
    site.publish()
    record = pull(engine, app).record
    chained = [name for name in record.directories if f"sha256:{name}" not in map(digest, tars)]
    assert len(chained) == 1
    assert content(engine, record) == {"usr/lib/new": b"through the link"}
    before = stored(engine.paths)
    collect_garbage(engine)
    assert stored(engine.paths) == before
    os.unlink(os.path.join(engine.paths.layers, chained[0], "diff", "usr/lib/new"))
    assert damaged_layers(engine, record, thorough=True) == chained
    site.server.requests.clear()
    assert pull(engine, app).record == record
    assert layer_requests(site) == []
    assert_whole(engine, record)


def tar_of(*members: tuple[str, bytes | str | None]) -> bytes:
    """Names with their content: bytes of a file, the target of a symbolic link, None for a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
            elif isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what
            else:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info, io.BytesIO(what if isinstance(what, bytes) else b""))
    return buffer.getvalue()


def test_progress_reaches_the_end(engine: Engine, site: Site, app: str) -> None:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pull_image import (
        pull_image,
    )

    seen: list[t.Any] = []
    pull_image(engine, parse_reference(app), IMPATIENT, Platform("linux", "amd64"), seen.append)
    total = sum(map(len, site.layers))
    assert tuple(seen[-1][:4]) == (total, total, 2, 2)
    stages = {one.blob.digest: one.stage for one in seen}
    assert list(stages.values()) == ["complete", "complete"]
    assert {one.stage for one in seen} == {"waiting", "moving", "complete"}
    assert [one.bytes for one in seen] == sorted(one.bytes for one in seen)


# The real registry, all formats


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Registry]:
    work = tmp_path_factory.mktemp("registry")
    image = build_image(work / "layout", [{"a": b"1", "b": b"1"}, {"b": b"2"}, {"dir/c": b"3" * 100_000}])
    with running_registry(work / "registry") as registry:
        registry.push(image, "app:docker")
        registry.push(image, "app:oci", oci=True)
        registry.push(recompressed(image, "zstd"), "app:zstd", oci=True)
        registry.push(recompressed(image, "none"), "app:none", oci=True)
        yield registry


@pytest.mark.parametrize("tag", ["docker", "oci", "zstd", "none"])
def test_every_format_of_a_real_registry(registry: Registry, engine: Engine, tag: str) -> None:
    pulled = pull(engine, f"{registry.host}/app:{tag}")
    assert content(engine, pulled.record) == {"a": b"1", "b": b"2", "dir/c": b"3" * 100_000}
    assert_whole(engine, pulled.record)


def test_the_same_layers_in_another_format_are_not_taken_again(registry: Registry, engine: Engine) -> None:
    first = pull(engine, f"{registry.host}/app:oci")
    again = pull(engine, f"{registry.host}/app:zstd")
    assert again.record.id == first.record.id
    assert (again.bytes, again.layers, again.reused) == (0, 0, 3)
    assert len(names(engine, again.record)) == 2
    # What the image can be made of again is what is here, not what was offered.
    assert again.record.layers == first.record.layers
    assert again.record.manifest_digest == first.record.manifest_digest
    assert_whole(engine, again.record)
    blobs = BlobStore(engine.paths)
    assert all(blobs.has(layer.digest, layer.size) for layer in again.record.layers)


# Interruptions


def cut_after(blob: bytes, count: int) -> Reply:
    """Announces all of `blob` and sends `count` bytes."""
    head = f"HTTP/1.1 200 X\r\nContent-Length: {len(blob)}\r\n\r\n".encode()
    return Reply(script=lambda connection: connection.sendall(head + blob[:count]))


def ranged(blob: bytes) -> t.Callable[[Request], Reply]:
    def reply(request: Request) -> Reply:
        asked = request.headers.get("range")
        if asked is None:
            return Reply(body=blob)
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Range": f"bytes {start}-{len(blob) - 1}/{len(blob)}"}
        return Reply(206, headers, blob[start:])

    return reply


@pytest.fixture
def large(site: Site) -> bytes:
    """A layer that takes several reads, now the second of the image; it does not compress."""
    from ansible_collections.coracle.engine.tests.integration.registry import hostile

    tar = hostile._tar({"noise": os.urandom(3_000_000)})
    site.layers[1] = gzip.compress(tar, 1, mtime=0)
    site.config["rootfs"]["diff_ids"][1] = digest(tar)
    site.publish()
    return site.layers[1]


def test_a_download_goes_on_where_the_registry_broke_off(
    engine: Engine, site: Site, app: str, large: bytes
) -> None:
    site.route(blob_path(large), cut_after(large, 1_500_000))
    with pytest.raises(RegistryError, match=r"^pull .*: layer sha256:.*cut after"):
        pull(engine, app)
    left = stored(engine.paths)
    assert digest(large).partition(":")[2] in left["ingest"]
    assert left["layers"] == left["staging"] == left["blobs"] == []
    site.server.requests.clear()
    site.route(blob_path(large), ranged(large))
    pulled = pull(engine, app)
    [request] = site.server.asked(blob_path(large))
    assert request.headers["range"] == "bytes=1500000-"
    assert pulled.bytes == len(large) - 1_500_000
    assert_whole(engine, pulled.record)


def test_what_a_power_cut_made_of_a_download_is_dropped(
    engine: Engine, site: Site, app: str, large: bytes
) -> None:
    with BlobStore(engine.paths).ingest(digest(large), len(large)) as ingest:
        ingest.write(large[:1000] + bytes(500_000))
    site.route(blob_path(large), ranged(large))
    pulled = pull(engine, app)
    assert pulled.bytes >= len(large)
    assert_whole(engine, pulled.record)


def test_a_complete_download_that_was_never_named_is_not_taken_again(
    engine: Engine, site: Site, app: str, large: bytes
) -> None:
    with BlobStore(engine.paths).ingest(digest(large), len(large)) as ingest:
        ingest.write(large)
    pulled = pull(engine, app)
    assert site.server.asked(blob_path(large)) == []
    assert pulled.bytes == len(site.layers[0])
    assert_whole(engine, pulled.record)


def test_a_layer_that_is_gone_at_the_registry_keeps_the_others_for_the_next_attempt(
    engine: Engine, site: Site, app: str, large: bytes
) -> None:
    site.route(blob_path(large), Reply(404))
    with pytest.raises(CoracleError, match="does not have the blob"):
        pull(engine, app)
    assert find(engine, app) is None
    site.publish()
    assert_whole(engine, pull(engine, app).record)


# Damage


@pytest.mark.parametrize("damage", ["record", "empty record", "file", "truncated file", "all"])
def test_a_damaged_layer_is_made_again_from_its_blob(
    engine: Engine, site: Site, app: str, damage: str
) -> None:
    record = pull(engine, app).record
    victim = layer_file(engine, record, "data/7")
    layer = os.path.dirname(os.path.dirname(os.path.dirname(victim)))
    if damage == "record":
        os.unlink(os.path.join(layer, "layer.json"))
    elif damage == "empty record":
        os.truncate(os.path.join(layer, "layer.json"), 0)
    elif damage == "file":
        os.unlink(victim)
    elif damage == "truncated file":
        os.truncate(victim, 0)
    else:
        os.rename(layer, layer + ".away")
    assert len(damaged_layers(engine, record, thorough=True)) == 1
    assert len(damaged_layers(engine, record)) == (0 if "file" in damage else 1)
    site.server.requests.clear()
    pulled = pull(engine, app)
    assert (pulled.bytes, pulled.layers, pulled.reused) == (0, 1, 1)
    assert layer_requests(site) == []
    assert content(engine, pulled.record)["data/7"] == b"7" * 5000
    assert_whole(engine, pulled.record)


def test_a_damaged_blob_is_taken_again(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    blobs = BlobStore(engine.paths)
    path = blobs.path(digest(site.layers[1]))
    with open(path, "r+b") as file:
        file.seek(200)
        file.write(bytes(4))
    os.unlink(layer_file(engine, record, "data/7"))
    pulled = pull(engine, app)
    assert pulled.bytes == len(site.layers[1])
    assert_whole(engine, pulled.record)
    assert blobs.read(digest(site.layers[1])) == site.layers[1]


def test_a_repair_does_not_follow_the_tag(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    os.unlink(layer_file(engine, record, "data/7"))
    os.unlink(BlobStore(engine.paths).path(digest(site.layers[1])))
    site.config["config"]["Cmd"] = ["/bin/false"]
    site.publish()
    repaired = repair_image(engine, record, IMPATIENT)
    assert repaired.record == record
    assert repaired.bytes == len(site.layers[1])
    assert find(engine, app) == record
    assert_whole(engine, record)


def test_a_layer_in_use_is_not_pulled_from_under_a_container(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    container = "c" * 64
    with engine.database.transaction() as transaction:
        transaction.execute(
            "INSERT INTO containers (id, name, image_id, config, state, created)"
            " VALUES (?, 'web', ?, '{}', '{}', '')",
            (container, record.id),
        )
    rootfs = os.path.join(engine.paths.container(container), "rootfs")
    os.makedirs(rootfs)
    mounts.bind_mount(engine.paths.layers, rootfs)
    try:
        os.unlink(layer_file(engine, record, "data/7"))
        before = stored(engine.paths)
        with pytest.raises(Conflict, match=r"damaged and in use by web \(stop these containers"):
            pull(engine, app)
        assert stored(engine.paths) == before
    finally:
        mounts.unmount(rootfs)
    assert_whole(engine, pull(engine, app).record)


# Lies


def other_bytes(site: Site) -> None:
    site.change(blob_path(site.layers[1]), body=site.layers[0].ljust(len(site.layers[1]), b"\0"))


def longer(site: Site) -> None:
    site.change(blob_path(site.layers[1]), body=site.layers[1] + b"x")


def wrong_size(site: Site) -> None:
    site.manifest["layers"][1]["size"] += 1
    site.publish_manifest(site.manifest)


def wrong_diff_id(site: Site) -> None:
    site.config["rootfs"]["diff_ids"][1] = digest(b"something else")
    site.publish()


def diff_ids_swapped(site: Site) -> None:
    site.config["rootfs"]["diff_ids"].reverse()
    site.publish()


def no_diff_ids(site: Site) -> None:
    site.config["rootfs"]["diff_ids"] = []
    site.publish()


def one_blob_for_two_layers(site: Site) -> None:
    site.layers[1] = site.layers[0]
    site.publish()


def other_config(site: Site) -> None:
    site.change(blob_path(site.blobs[0]), body=site.blobs[0].replace(b"/bin/sh", b"/bin/rm"))


@pytest.mark.parametrize(
    "lie",
    [
        other_bytes,
        longer,
        wrong_size,
        wrong_diff_id,
        diff_ids_swapped,
        no_diff_ids,
        one_blob_for_two_layers,
        other_config,
    ],
    ids=lambda lie: lie.__name__,
)
def test_a_lie_is_refused_and_nothing_of_it_is_stored(
    engine: Engine, site: Site, app: str, lie: t.Callable[[Site], None]
) -> None:
    lie(site)
    with pytest.raises(IntegrityError, match=f"^pull {app}: "):
        pull(engine, app)
    assert stored(engine.paths) == NOTHING
    assert find(engine, app) is None


def test_a_lie_does_not_harm_what_is_there(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    site.layers.append(site.layers[0][:-1] + b"\1")
    site.config["rootfs"]["diff_ids"].append(digest(b"new"))
    site.publish()
    before = stored(engine.paths)
    with pytest.raises(IntegrityError):
        pull(engine, app)
    assert stored(engine.paths) == before
    assert find(engine, app) == record
    assert_whole(engine, record)
