# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import multiprocessing
import os
import pathlib
import stat
import sys
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, IntegrityError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import files

UMASKS = [0o000, 0o022, 0o077, 0o777]


@pytest.fixture(params=UMASKS, ids=oct)
def _umask(request: pytest.FixtureRequest) -> t.Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# make_private_directory


@pytest.mark.usefixtures("_umask")
def test_private_whatever_the_umask_with_its_parents(tmp_path: pathlib.Path) -> None:
    files.make_private_directory(str(tmp_path / "a" / "b"))
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o700, 0o700)


def test_an_open_directory_is_closed(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o777)
    files.make_private_directory(str(tmp_path))
    files.make_private_directory(str(tmp_path))
    assert mode(tmp_path) == 0o700


def test_a_link_is_refused_even_to_a_directory_of_ours(tmp_path: pathlib.Path) -> None:
    (tmp_path / "elsewhere").mkdir(0o755)
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(Conflict, match="link is not a directory of its own"):
        files.make_private_directory(str(tmp_path / "link"))
    assert mode(tmp_path / "elsewhere") == 0o755


def test_a_file_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Conflict, match="not a directory"):
        files.make_private_directory(str(tmp_path / "file"))


def test_a_directory_of_somebody_else_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(Conflict, match=r"belongs to user \d+, not to us \(4711\)"):
        files.make_private_directory(str(tmp_path))


# write_atomically


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("wanted", [0o600, 0o644, 0o700])
def test_written_with_the_mode_asked_for(tmp_path: pathlib.Path, wanted: int) -> None:
    files.write_atomically(str(tmp_path / "file"), b"content", wanted)
    assert (tmp_path / "file").read_bytes() == b"content"
    assert mode(tmp_path / "file") == wanted
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_crash_left_is_taken_over(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".file.new").write_bytes(b"a longer text from a writer that was killed")
    files.write_atomically(str(tmp_path / "file"), b"short")
    assert (tmp_path / "file").read_bytes() == b"short"
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_atomically(str(tmp_path / "file"), b"old")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(str(tmp_path / "file"), b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_planted_link_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".file.new").symlink_to("victim")
    with pytest.raises(OSError):
        files.write_atomically(str(tmp_path / "file"), b"pwned")
    assert (tmp_path / "victim").read_bytes() == b"precious"


def _write_many(path: str, letter: bytes) -> None:
    for _round in range(20):
        files.write_atomically(path, letter * 10_000)


def test_writers_of_one_file_take_turns(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "file"
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_write_many, args=(str(target), letter)) for letter in (b"a", b"b", b"c")
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if target.exists():
            content = target.read_bytes()
            assert len(content) == 10_000
            assert len(set(content)) == 1
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert os.listdir(tmp_path) == ["file"]


# read_bounded


def test_read_up_to_the_limit_and_not_beyond(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert len(files.read_bounded(str(path), 3_000_000)) == 3_000_000
    with pytest.raises(IntegrityError, match=f"{path} has more than 2999999 bytes"):
        files.read_bounded(str(path), 2_999_999)


def test_read_from_a_descriptor_which_stays_open(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"header:body")
    with open(tmp_path / "file", "rb", buffering=0) as file:
        file.read(7)
        assert files.read_bounded(file.fileno(), 100) == b"body"
        assert files.read_bounded(file.fileno(), 100) == b""


def test_a_pipe_or_a_directory_is_not_read(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(IntegrityError, match="is not a regular file"):
            files.read_bounded(str(path), 100)


# The rest


def test_free_bytes_of_a_place_that_is_not_there_yet(tmp_path: pathlib.Path) -> None:
    assert files.free_bytes(str(tmp_path / "a" / "b" / "c")) > 0


def test_a_name_leads_to_the_open_file_or_not(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with open(path, "rb") as file:
        assert files.names_inode(str(path), file.fileno())
        path.unlink()
        assert not files.names_inode(str(path), file.fileno())
        path.touch()
        assert not files.names_inode(str(path), file.fileno())


# spread_below


def test_spreading_adds_one_attribute_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = [0x80000]  # extents, as every directory of ext4 has

    def ioctl(_fd: int, request: int, argument: t.Any) -> None:
        if request == 0x80086601:
            argument[:4] = attributes[-1].to_bytes(4, sys.byteorder)
        else:
            attributes.append(int.from_bytes(argument[:4], sys.byteorder))

    monkeypatch.setattr(files.fcntl, "ioctl", ioctl)
    files.spread_below(str(tmp_path))
    files.spread_below(str(tmp_path))
    assert attributes == [0x80000, 0xA0000]


def test_spreading_is_a_hint(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: t.Any) -> None:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(files.fcntl, "ioctl", unknown)
    files.spread_below(str(tmp_path))
