# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import stat
import threading

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import syscalls
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.copies import (
    copy_metadata,
    copy_tree,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree

TIME = 1_600_000_000_123_456_789


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    with contextlib.ExitStack() as stack:
        fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (source, target)]
        for fd in fds:
            stack.callback(os.close, fd)
        copy_tree(*fds)


def described(path: pathlib.Path) -> dict[str, tuple[object, ...]]:
    """Everything about each name of a tree, the top included."""
    found = {}
    for one in [path, *path.rglob("*")]:
        status = one.lstat()
        content: object = None
        if one.is_symlink():
            content = os.readlink(one)
        elif one.is_file():
            content = one.read_bytes()
        found[os.path.relpath(one, path)] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_mtime_ns,
            status.st_nlink,
            content,
        )
    return found


def set_times(path: pathlib.Path) -> None:
    for number, one in enumerate(sorted([path, *path.rglob("*")], reverse=True)):
        os.utime(one, ns=(TIME + number, TIME + number), follow_symlinks=False)


def test_a_copy_is_like_the_original(source: pathlib.Path, target: pathlib.Path) -> None:
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep").chmod(0o1770)
    (source / "file").write_bytes(b"x" * 100_000)
    (source / "file").chmod(0o6751)
    (source / "deep" / "er" / "empty").touch()
    (source / "deep" / "sealed").mkdir()
    (source / "absolute").symlink_to("/etc/passwd")
    (source / "dangling").symlink_to("../../nowhere")
    os.mkfifo(source / "fifo", 0o640)
    (source / "not\udcff utf-8\n").write_text("odd name")
    source.chmod(0o2750)
    set_times(source)
    copy(source, target)
    assert described(target) == described(source)


def test_hard_links_stay_together(source: pathlib.Path, target: pathlib.Path) -> None:
    (source / "a").mkdir()
    (source / "b").mkdir()
    (source / "a" / "one").write_text("shared")
    os.link(source / "a" / "one", source / "b" / "two")
    os.link(source / "a" / "one", source / "three")
    copy(source, target)
    inodes = {(target / name).stat().st_ino for name in ("a/one", "b/two", "three")}
    assert len(inodes) == 1
    assert (target / "three").stat().st_nlink == 3


def test_links_are_not_followed(source: pathlib.Path, target: pathlib.Path, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (source / "link").symlink_to(outside)
    copy(source, target)
    assert os.readlink(target / "link") == str(outside)


def test_sockets_are_left_out(source: pathlib.Path, target: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "socket"))
        copy(source, target)
    assert os.listdir(target) == []


def test_holes_stay_holes(source: pathlib.Path, target: pathlib.Path) -> None:
    with open(source / "sparse", "wb") as file:
        file.seek(1 << 32)
        file.write(b"end")
        file.truncate(1 << 33)
    with open(source / "hole", "wb") as file:
        file.truncate(1 << 33)
    copy(source, target)
    assert (target / "sparse").stat().st_size == (target / "hole").stat().st_size == 1 << 33
    assert (target / "sparse").stat().st_blocks < 1000
    with open(target / "sparse", "rb") as file:
        file.seek(1 << 32)
        assert file.read(4) == b"end\0"


def test_attributes(source: pathlib.Path, target: pathlib.Path) -> None:
    (source / "file").touch()
    try:
        os.setxattr(source / "file", "user.kept", b"1")
    except OSError:
        pytest.skip("not applicable: this file system has no user attributes")
    os.setxattr(source / "file", "user.overlay.opaque", b"y")
    os.setxattr(source, "user.top", b"2")
    copy(source, target)
    assert os.listxattr(target / "file") == ["user.kept"]
    assert os.getxattr(target, "user.top") == b"2"


def test_depth_costs_no_descriptors(source: pathlib.Path, target: pathlib.Path) -> None:
    depth = 1500
    fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    for _level in range(depth):
        os.mkdir("d", dir_fd=fd)
        above, fd = fd, os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(above)
    os.close(fd)
    copy(source, target)
    fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    for _level in range(depth):
        above, fd = fd, os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(above)
    os.close(fd)
    for tree in (source, target):
        remove_tree(str(tree))


def test_nothing_is_replaced(source: pathlib.Path, target: pathlib.Path) -> None:
    (source / "file").write_text("new")
    (target / "file").write_text("old")
    with pytest.raises(FileExistsError):
        copy(source, target)
    assert (target / "file").read_text() == "old"


def test_metadata_of_a_directory_alone(source: pathlib.Path, target: pathlib.Path) -> None:
    source.chmod(0o1777)
    os.utime(source, ns=(TIME, TIME))
    fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (source, target)]
    copy_metadata(*fds)
    for fd in fds:
        os.close(fd)
    assert stat.S_IMODE(target.stat().st_mode) == 0o1777
    assert target.stat().st_mtime_ns == TIME


class Swapper:
    """Exchanges a directory and a link to `victim` in both trees, as fast as it can."""

    def __init__(self, victim: pathlib.Path, *trees: pathlib.Path) -> None:
        self._pairs = [(tree / "dir", tree / "link") for tree in trees]
        for place, link in self._pairs:
            place.mkdir(exist_ok=True)
            link.symlink_to(victim)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._swap)

    def _swap(self) -> None:
        while not self._ended.is_set():
            for place, link in self._pairs:
                with contextlib.suppress(OSError):
                    syscalls.renameat2(
                        syscalls.AT_FDCWD, str(place), syscalls.AT_FDCWD, str(link), syscalls.RENAME_EXCHANGE
                    )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()


def test_whoever_swaps_directories_for_links_gains_nothing(
    source: pathlib.Path, target: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "secret").write_text("secret")
    before = described(victim)
    top = source / "top"
    top.mkdir()
    for number in range(20):
        (top / f"d{number}").mkdir()
        (top / f"d{number}" / "file").write_text("x")
    with Swapper(victim, top, source):
        for attempt in range(100):
            copied = target / str(attempt)
            copied.mkdir()
            with contextlib.suppress(OSError):
                copy(source, copied)
    assert described(victim) == before
    texts = {path.read_text() for path in target.rglob("*") if path.is_file() and not path.is_symlink()}
    assert "secret" not in texts
