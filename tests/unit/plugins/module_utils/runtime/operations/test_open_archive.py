# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Members of archives: the same whatever holds them, regular files only, and no surprise for any input."""

from __future__ import annotations

import gzip
import io
import os
import pathlib
import tarfile
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import open_archive as module
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.open_archive import (
    Archive,
    open_archive,
)

LARGE = bytes(range(256)) * 10_000
FILES = {"index.json": b"{}", "oci-layout": b"", "blobs/sha256/large": LARGE, "blobs/sha256/small": b"x"}


def tar(files: t.Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in others:
            archive.addfile(member)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture(params=["tar", "gzip", "directory"])
def archive(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Iterator[Archive]:
    path = tmp_path / "archive"
    if request.param == "directory":
        for name, data in FILES.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    else:
        path.write_bytes(tar(FILES) if request.param == "tar" else gzip.compress(tar(FILES), 1))
    opened = open_archive(str(path))
    yield opened
    opened.close()


def test_all_members_with_their_sizes(archive: Archive) -> None:
    assert archive.members == {name: len(data) for name, data in FILES.items()}


def test_each_can_be_read_again_and_again(archive: Archive) -> None:
    for _attempt in range(2):
        for name, data in FILES.items():
            assert archive.read(name, len(LARGE)) == data


@pytest.mark.parametrize("offset", [0, 1, 100_000, len(LARGE)])
def test_reading_begins_anywhere(archive: Archive, offset: int) -> None:
    with archive.open("blobs/sha256/large", offset) as reader:
        assert reader.read() == LARGE[offset:]
        assert reader.readinto(bytearray(1)) == 0


def test_a_walk_passes_every_member_once(archive: Archive) -> None:
    walked = {}
    for name, reader in archive.walk():
        walked[name] = reader.read() if name != "blobs/sha256/large" else b"passed by"
    assert walked == {**FILES, "blobs/sha256/large": b"passed by"}


def test_what_is_not_there_is_not_found(archive: Archive) -> None:
    with pytest.raises(NotFound, match="has no member nothing"):
        archive.read("nothing")


def test_a_document_may_not_be_too_long(archive: Archive) -> None:
    with pytest.raises(IntegrityError, match="more than 99 bytes"):
        archive.read("blobs/sha256/large", 99)


def test_only_regular_files_are_members(tmp_path: pathlib.Path) -> None:
    others = [
        special("link", tarfile.SYMTYPE, "/etc/shadow"),
        special("hard", tarfile.LNKTYPE, "../etc/shadow"),
        special("fifo", tarfile.FIFOTYPE),
        special("null", tarfile.CHRTYPE),
        special("directory", tarfile.DIRTYPE),
    ]
    (tmp_path / "a.tar").write_bytes(tar({"file": b"1"}, *others))
    (tmp_path / "a.gz").write_bytes(gzip.compress(tar({"file": b"1"}, *others)))
    for name in ("a.tar", "a.gz"):
        assert open_archive(str(tmp_path / name)).members == {"file": 1}


def test_links_in_a_directory_do_not_exist(tmp_path: pathlib.Path) -> None:
    (tmp_path / "outside").write_text("secret")
    layout = tmp_path / "layout"
    (layout / "blobs" / "sha256").mkdir(parents=True)
    (layout / "blobs" / "sha256" / "a").symlink_to(tmp_path / "outside")
    (layout / "index.json").symlink_to(tmp_path / "outside")
    os.mkfifo(layout / "manifest.json")
    assert open_archive(str(layout)).members == {}
    assert open_archive(str(layout))._open("blobs", os.O_DIRECTORY) > 0  # type: ignore[attr-defined]


def test_a_file_that_becomes_a_link_is_noticed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "layout").mkdir()
    index = tmp_path / "layout" / "index.json"
    index.write_text("{}")
    archive = open_archive(str(tmp_path / "layout"))
    index.unlink()
    index.symlink_to("/etc/passwd")
    with pytest.raises(OSError):
        archive.read("index.json")


def test_a_name_twice_and_too_many_names(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar({"a": b"", "x/../a": b""}))
    with pytest.raises(IntegrityError, match="two members called a"):
        open_archive(str(path))
    monkeypatch.setattr(module, "_MAX_MEMBERS", 3)
    path.write_bytes(tar({str(number): b"" for number in range(4)}))
    with pytest.raises(IntegrityError, match="more than 3 members"):
        open_archive(str(path))


@pytest.mark.parametrize("kept", [600, 1024, 5000])
def test_a_truncated_archive_is_refused(tmp_path: pathlib.Path, kept: int) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar({"a": LARGE})[:kept])
    with pytest.raises(IntegrityError, match="truncated"):
        open_archive(str(path))


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(data=st.data())
def test_damage_ends_in_one_of_our_errors(data: st.DataObject) -> None:
    import tempfile

    content = bytearray(tar({"manifest.json": b"[1]", "b": b"2" * 600}))
    for _change in range(data.draw(st.integers(1, 5))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            archive = open_archive(file.name)
            for name in archive.members:
                archive.read(name)
            archive.close()
        except CoracleError:
            pass
