# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import StorageError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths


@pytest.fixture
def place(engine_roots: Paths) -> pathlib.Path:
    make_private_directory(engine_roots.root)
    return pathlib.Path(engine_roots.root)


def directory(path: pathlib.Path, *files: str) -> str:
    path.mkdir(parents=True)
    for name in files:
        (path / name).write_text(path.name)
    return str(path)


def overlay(place: pathlib.Path, lower: list[str], **options: bool) -> pathlib.Path:
    target = place / "rootfs"
    for name in ("upper", "work", "rootfs"):
        (place / name).mkdir()
    mounts.mount_overlay(lower, str(place / "upper"), str(place / "work"), str(target), **options)
    return target


@pytest.mark.parametrize("volatile", [False, True])
def test_layers_lie_on_one_another_and_writes_go_to_the_upper(place: pathlib.Path, volatile: bool) -> None:
    top = directory(place / "top", "a")
    bottom = directory(place / "bottom", "a", "b")
    rootfs = overlay(place, [top, bottom], volatile=volatile)
    assert (rootfs / "a").read_text() == "top"
    assert (rootfs / "b").read_text() == "bottom"
    (rootfs / "c").write_text("new")
    assert os.listdir(place / "upper") == ["c"]
    mounts.unmount(str(rootfs))
    assert os.listdir(rootfs) == []


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\\b", "a\nb", "a b", "ü", ":"])
def test_any_name_of_a_directory(place: pathlib.Path, name: str) -> None:
    odd = place / name
    odd.mkdir()
    rootfs = overlay(odd, [directory(odd / "one", "one"), directory(odd / "two", "two")])
    assert sorted(os.listdir(rootfs)) == ["one", "two"]
    assert mounts.mounts_below(str(odd)) == [str(rootfs)]
    mounts.unmount_below(str(odd))


def test_as_many_layers_as_docker_knows(place: pathlib.Path) -> None:
    layers = [directory(place / "layers" / f"{number:064}" / "diff", str(number)) for number in range(127)]
    rootfs = overlay(place, layers)
    assert len(os.listdir(rootfs)) == 127
    mounts.unmount(str(rootfs))


def test_read_only_without_an_upper(place: pathlib.Path) -> None:
    (place / "view").mkdir()
    lower = [directory(place / "one", "one"), directory(place / "two", "two")]
    mounts.mount_overlay(lower, None, None, str(place / "view"))
    assert sorted(os.listdir(place / "view")) == ["one", "two"]
    with pytest.raises(OSError, match="Read-only"):
        (place / "view" / "new").touch()
    mounts.unmount(str(place / "view"))


def test_a_file_system_that_cannot_be_an_upper_is_named(place: pathlib.Path) -> None:
    lower = [directory(place / "lower", "a")]
    for name in ("upper", "work", "rootfs"):
        (place / name).mkdir()
    with pytest.raises(StorageError, match=r"overlay on proc is not supported .put the state directory on"):
        mounts.mount_overlay(lower, "/proc/self/task", "/proc/self/task", str(place / "rootfs"))


def test_a_missing_layer_is_named(place: pathlib.Path) -> None:
    with pytest.raises(OSError):
        overlay(place, [str(place / "missing")])


def test_bind_mounts_of_directories_and_files(place: pathlib.Path) -> None:
    source = directory(place / "source", "file")
    target = directory(place / "target")
    (place / "file").touch()
    mounts.bind_mount(source, target, read_only=True)
    mounts.bind_mount(f"{source}/file", str(place / "file"))
    assert (place / "target" / "file").read_text() == "source"
    with pytest.raises(OSError, match="Read-only"):
        (place / "target" / "file").write_text("x")
    (place / "file").write_text("through")
    assert (place / "source" / "file").read_text() == "through"
    assert mounts.mounts_below(str(place)) == [target, str(place / "file")]
    mounts.unmount_below(str(place))
    assert mounts.mounts_below(str(place)) == []


def test_unmounting_twice_or_nothing_is_fine_unless_it_matters(place: pathlib.Path) -> None:
    target = directory(place / "target")
    mounts.bind_mount(target, target)
    mounts.unmount(target)
    mounts.unmount(target)
    mounts.unmount(str(place / "missing"))
    for path in (target, str(place / "missing")):
        with pytest.raises(OSError):
            mounts.unmount(path, missing_ok=False)


def test_a_busy_mount_is_detached_and_goes_with_its_last_user(place: pathlib.Path) -> None:
    target = directory(place / "target")
    mounts.bind_mount(directory(place / "source", "file"), target)
    with open(os.path.join(target, "file"), encoding="utf-8") as file:
        mounts.unmount(target)
        assert not mounts.is_mounted(target)
        assert file.read() == "source"


def test_another_file_system_is_told_from_a_bind_mount(place: pathlib.Path) -> None:
    bind = directory(place / "bind")
    mounts.bind_mount(bind, bind)
    rootfs = str(overlay(place, [directory(place / "top")]))
    missing = str(place / "missing" / "one")
    assert [mounts.is_mounted(path) for path in (bind, rootfs, missing)] == [True, True, False]
    assert [mounts.is_file_system(path) for path in (bind, rootfs, missing)] == [False, True, False]
    mounts.unmount(rootfs)
    assert not mounts.is_file_system(rootfs)
    mounts.unmount(bind)


def test_a_link_is_not_followed_to_a_mount(place: pathlib.Path) -> None:
    target = directory(place / "target")
    mounts.bind_mount(target, target)
    (place / "link").symlink_to("target")
    mounts.unmount(str(place / "link"))
    assert mounts.is_mounted(target)
    mounts.unmount(target)


def test_removing_a_tree_spares_what_is_mounted_in_it(place: pathlib.Path) -> None:
    source = directory(place / "source", "precious")
    for target in ("tree", "tree/sub/mounted"):
        directory(place / target)
        mounts.bind_mount(source, str(place / target))
        with pytest.raises(OSError, match="busy"):
            remove_tree(str(place / "tree"))
        assert os.listdir(source) == ["precious"]
        mounts.unmount_below(str(place))
        remove_tree(str(place / "tree"))
