# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Root file systems as images."""

from __future__ import annotations

import io
import os
import pathlib
import tarfile

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    InvalidInput,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import import_rootfs as module
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.import_rootfs import (
    import_rootfs,
    read_rootfs,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.store_image import Pulled
from ansible_collections.coracle.engine.tests.integration.image.images import (
    NOTHING,
    assert_whole,
    content,
    find,
    names,
    stored,
)
from ansible_collections.coracle.engine.tests.integration.registries import run

CONFIG = ImageConfig(architecture="amd64", cmd=["/bin/sh"], env=["PATH=/bin"])


@pytest.fixture
def tar(work: pathlib.Path) -> pathlib.Path:
    with tarfile.open(work / "root.tar", "w") as archive:
        for name, data in {"bin/sh": b"#!", "etc/passwd": b"root:x:0:0::/:/bin/sh\n"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return work / "root.tar"


def bring(engine: Engine, path: pathlib.Path, config: ImageConfig = CONFIG, *given: str) -> Pulled:
    return import_rootfs(
        engine, read_rootfs(engine, str(path), config), [parse_reference(name) for name in given]
    )


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_a_tar_becomes_an_image_of_one_layer(engine: Engine, tar: pathlib.Path, compression: str) -> None:
    if compression != "none":
        run([compression, "-q", str(tar)])
        tar = tar.with_suffix({"gzip": ".tar.gz", "zstd": ".tar.zst"}[compression])
    brought = bring(engine, tar, CONFIG, "local/root:1", "local/root:latest")
    assert brought.layers == 1
    assert content(engine, brought.record) == {"bin/sh": b"#!", "etc/passwd": b"root:x:0:0::/:/bin/sh\n"}
    assert names(engine, brought.record) == ["docker.io/local/root:1", "docker.io/local/root:latest"]
    config = brought.record.image_config
    assert (config.cmd, config.env, config.created) == (["/bin/sh"], ["PATH=/bin"], "1970-01-01T00:00:00Z")
    assert_whole(engine, brought.record)


def test_the_id_depends_on_content_and_configuration_only(engine: Engine, tar: pathlib.Path) -> None:
    first = bring(engine, tar)
    os.utime(tar, (10**9, 10**9))
    moved = tar.rename(tar.with_name("other-name.tar"))
    assert read_rootfs(engine, str(moved), CONFIG).parts.id == first.record.id
    run(["gzip", "-q", str(moved)])
    zipped = moved.with_suffix(".tar.gz")
    assert read_rootfs(engine, str(zipped), CONFIG).parts.id == first.record.id
    other = ImageConfig(architecture="amd64", cmd=["/bin/true"], env=["PATH=/bin"])
    assert read_rootfs(engine, str(zipped), other).parts.id != first.record.id


def test_another_configuration_shares_the_layer(engine: Engine, tar: pathlib.Path) -> None:
    bring(engine, tar)
    again = bring(engine, tar, ImageConfig(architecture="amd64"))
    assert (again.bytes, again.layers, again.reused) == (0, 0, 1)


def test_a_known_tar_is_not_decompressed_to_be_recognised(
    engine: Engine, tar: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["gzip", "-q", str(tar)])
    zipped = tar.with_suffix(".tar.gz")
    brought = bring(engine, zipped)
    monkeypatch.setattr(module, "decompressor", None)
    assert read_rootfs(engine, str(zipped), CONFIG).parts.id == brought.record.id


def test_reading_writes_nothing(engine: Engine, tar: pathlib.Path) -> None:
    read_rootfs(engine, str(tar), CONFIG)
    assert not os.path.exists(engine.paths.root)


def test_what_is_no_tar_is_refused(engine: Engine, work: pathlib.Path) -> None:
    (work / "text").write_text("no tar at all\n" * 100)
    (work / "short").write_text("no tar at all")
    (work / "empty").touch()
    run(["gzip", "-q", "-k", str(work / "text")])
    for name in ("text", "short", "empty", "text.gz"):
        with pytest.raises(InvalidInput) as raised:
            read_rootfs(engine, str(work / name), CONFIG)
        assert str(raised.value) == (
            f"read {work / name}: it is not a tar file (give a tar, plain or compressed by gzip or zstd)"
        )
    assert stored(engine.paths) == NOTHING
    with pytest.raises(NotFound, match="no such file"):
        bring(engine, work / "nothing")
    with pytest.raises(InvalidInput, match="not a regular file"):
        bring(engine, work)
    assert find(engine, "x") is None
