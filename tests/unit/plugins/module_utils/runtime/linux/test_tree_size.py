# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause

from __future__ import annotations

import os
import pathlib

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.tree_size import tree_size
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree


def test_nothing_is_there(tmp_path: pathlib.Path) -> None:
    assert tree_size(str(tmp_path / "missing")) == tree_size(str(tmp_path)) == 0


def test_files_count_once_and_links_do_not(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "top").write_bytes(b"1" * 10)
    (tmp_path / "a" / "middle").write_bytes(b"1" * 200)
    (tmp_path / "a" / "b" / "low").write_bytes(b"1" * 3000)
    os.link(tmp_path / "top", tmp_path / "a" / "b" / "again")
    (tmp_path / "a" / "b" / "link").symlink_to(tmp_path / "top")
    os.mkfifo(tmp_path / "a" / "fifo")
    assert tree_size(str(tmp_path)) == 3210
    assert tree_size(str(tmp_path / "top")) == 10
    assert tree_size(str(tmp_path / "a" / "b" / "link")) == 0


def test_neither_depth_nor_width_matters(tmp_path: pathlib.Path) -> None:
    """Deeper than a path can be long, wider than there are descriptors."""
    fd = os.open(tmp_path, os.O_RDONLY)
    for _level in range(300):
        os.mkdir("d" * 100, dir_fd=fd)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.truncate(f"/proc/self/fd/{fd}/file", 77)
    os.close(fd)
    for number in range(3000):
        (tmp_path / f"w{number}").mkdir()
    before = os.listdir("/proc/self/fd")
    assert tree_size(str(tmp_path)) == 77
    assert os.listdir("/proc/self/fd") == before
    remove_tree(str(tmp_path))
