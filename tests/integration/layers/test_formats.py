# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Layers as real tar programs write them, in every format they know."""

from __future__ import annotations

import io
import os
import pathlib
import tarfile

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.programs import run
from ansible_collections.coracle.engine.tests.integration.layers.conftest import Images
from ansible_collections.coracle.engine.tests.integration.layers.judge import Tree, differences, look, now
from ansible_collections.coracle.engine.tests.integration.layers.test_umoci import assert_same_tree

GNU_TAR = {
    "v7": ["--format=v7"],
    "ustar": ["--format=ustar"],
    "oldgnu": ["--format=oldgnu"],
    "gnu": ["--format=gnu"],
    "gnu sparse": ["--format=gnu", "--sparse"],
    "posix": ["--format=posix", "--xattrs", "--xattrs-include=*"],
    "posix sparse 0.0": ["--format=posix", "--sparse", "--sparse-version=0.0"],
    "posix sparse 0.1": ["--format=posix", "--sparse", "--sparse-version=0.1"],
    "posix sparse 1.0": ["--format=posix", "--sparse", "--sparse-version=1.0", "--xattrs"],
}


def make_tree(root: pathlib.Path, long_names: bool) -> None:
    (root / "d/e").mkdir(parents=True)
    (root / "d/e/data").write_bytes(os.urandom(1234))
    os.link(root / "d/e/data", root / "again")
    (root / "link").symlink_to("d/e")
    os.mkfifo(root / "pipe")
    os.mknod(root / "node", 0o20600, os.makedev(1, 7))
    os.chown(root / "d", 12, 34)
    os.chmod(root / "d/e/data", 0o4755)
    os.setxattr(root / "d/e/data", "user.origin", b"here")
    os.setxattr(root / "d", "user.origin", b"there")
    with (root / "holes").open("wb") as file:
        for place in range(30):
            file.seek(place << 16)
            file.write(b"island")
        file.truncate(4 << 20)
    (root / "all-hole").touch()
    os.truncate(root / "all-hole", 1 << 20)
    if long_names:
        deep = root / ("directory" * 20) / ("d" * 120)
        deep.mkdir(parents=True)
        (deep / ("file" * 50)).write_text("deep")
        (root / "long-link").symlink_to("x/" * 150)
        os.link(deep / ("file" * 50), root / "hard-to-long")
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(1_500_000_000_123_456_789,) * 2, follow_symlinks=False)


@pytest.mark.parametrize("format", GNU_TAR)
def test_gnu_tar(format: str, images: Images, place: pathlib.Path) -> None:
    tree, layer = place / "tree", place / "layer.tar"
    make_tree(tree, long_names=format not in ("v7", "ustar"))
    if format == "v7":
        (tree / "node").unlink()
        (tree / "pipe").unlink()
    run(["tar", "--numeric-owner", *GNU_TAR[format], "-cf", str(layer), "-C", str(tree), "."])
    if "sparse" in format:
        assert layer.stat().st_size < 2 << 20
    if format == "gnu sparse":  # which umoci does not read
        with images.mounted(images.lay_out(layer.read_bytes())) as root:
            assert differences(plain(look(root)), plain(look(tree)), now()) == []
    else:
        assert_same_tree(images, [layer.read_bytes()], place)
    assert images.reopened == []


def plain(tree: Tree) -> Tree:
    """What the format can say: no attributes, whole seconds."""
    return {
        path: seen._replace(attributes={}, mtime=seen.mtime - seen.mtime % 10**9)
        for path, seen in tree.items()
    }


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_python_tarfile(format: int, images: Images, place: pathlib.Path) -> None:
    make_tree(place / "tree", long_names=format != tarfile.USTAR_FORMAT)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        tar.add(place / "tree", ".")
    assert_same_tree(images, [buffer.getvalue()], place)


def test_busybox_tar(busybox_rootfs_tar: pathlib.Path, images: Images, place: pathlib.Path) -> None:
    make_tree(place / "tree", long_names=False)
    archived = run(["busybox", "tar", "-cf", "-", "-C", str(place / "tree"), "."], max_output=1 << 24)
    assert_same_tree(images, [busybox_rootfs_tar.read_bytes(), archived.stdout], place)
