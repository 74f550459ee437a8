# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import threading

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import (
    move_to_trash,
    remove_tree,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths


def make_deep(top: pathlib.Path, depth: int) -> None:
    """Directories in one another, far beyond PATH_MAX and the recursion limit."""
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _round in range(depth):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_a_tree_deeper_than_any_path_or_stack(tmp_path: pathlib.Path) -> None:
    make_deep(tmp_path / "deep", 5_000)
    remove_tree(str(tmp_path / "deep"))
    assert os.listdir(tmp_path) == []


def test_odd_names_and_kinds_and_modes(tmp_path: pathlib.Path) -> None:
    tree = tmp_path / "tree"
    for directory in ("a/b/c", "closed/inner", "x" * 255):
        (tree / directory).mkdir(parents=True)
    for name in ("a/b/file", "a/-rf", "a/new\nline", "closed/inner/file", "x" * 255 + "/" + "y" * 255):
        (tree / name).touch()
    os.mkdir(os.fsencode(tree) + b"/\xff\xfe")
    os.mkfifo(tree / "a" / "fifo")
    (tree / "a" / "dangling").symlink_to("nowhere")
    (tree / "closed" / "inner").chmod(0o000)
    (tree / "closed").chmod(0o000)
    remove_tree(str(tree))
    assert os.listdir(tmp_path) == []


def test_links_are_removed_and_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "victim" / "sub").mkdir(parents=True)
    (tmp_path / "victim" / "file").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "link").symlink_to("victim")
    remove_tree(str(tmp_path / "tree"))
    remove_tree(str(tmp_path / "link"))
    assert sorted(os.listdir(tmp_path / "victim")) == ["file", "sub"]
    assert os.listdir(tmp_path) == ["victim"]


def test_nothing_and_a_file_are_trees_too(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    remove_tree(str(tmp_path / "file"))
    remove_tree(str(tmp_path / "file"))
    remove_tree(str(tmp_path / "no" / "such" / "place"))
    assert os.listdir(tmp_path) == []


def test_names_left_by_an_interrupted_removal(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tree" / ".0123456789abcdef.1" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / ".0123456789abcdef.1" / "sub" / "file").touch()
    remove_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == []


def test_two_may_remove_the_same_tree(tmp_path: pathlib.Path) -> None:
    for number in range(40):
        (tmp_path / "tree" / str(number) / "a" / "b").mkdir(parents=True)
        (tmp_path / "tree" / str(number) / "a" / "file").touch()
    errors: list[BaseException] = []

    def remove() -> None:
        try:
            remove_tree(str(tmp_path / "tree"))
        except (CoracleError, OSError) as error:
            errors.append(error)

    threads = [threading.Thread(target=remove) for _round in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(tmp_path) == []


def test_no_descriptor_is_left(tmp_path: pathlib.Path) -> None:
    before = os.listdir("/proc/self/fd")
    make_deep(tmp_path / "deep", 100)
    remove_tree(str(tmp_path / "deep"))
    assert os.listdir("/proc/self/fd") == before


def test_trash_takes_things_of_equal_names(tmp_path: pathlib.Path) -> None:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    layer = tmp_path / "root" / "layers" / "abc"
    trashed = []
    for _round in range(2):
        layer.mkdir(parents=True)
        (layer / "file").touch()
        trashed.append(move_to_trash(paths, str(layer)))
        assert not layer.exists()
    assert sorted(os.listdir(paths.trash)) == sorted(map(os.path.basename, trashed))
    assert all(os.listdir(place) == ["file"] for place in trashed)


def test_what_is_not_there_cannot_be_trashed(tmp_path: pathlib.Path) -> None:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    make_private_directory(paths.root)
    with pytest.raises(FileNotFoundError):
        move_to_trash(paths, os.path.join(paths.root, "missing"))
