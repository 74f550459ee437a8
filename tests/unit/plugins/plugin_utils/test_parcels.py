# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files of the controller, and what comes from a container."""

from __future__ import annotations

import io
import os
import pathlib
import typing as t

import pytest

pytest.importorskip("ansible.errors", reason="not applicable: there is no ansible-core for this Python")

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.items import (
    DIRECTORY,
    FILE,
    HARD_LINK,
    LINK,
    Item,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.parcel import (
    Parcel,
    ParcelWriter,
)
from ansible_collections.coracle.engine.plugins.plugin_utils.parcels import (
    Arrival,
    Listed,
    list_files,
    shown_arrivals,
    write_contents,
)


def parcel(tmp_path: pathlib.Path, *items: Item, content: bytes = b"pwned") -> Parcel:
    fd = os.open(tmp_path / "parcel", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    writer = ParcelWriter(fd)
    packed = [
        writer.add(item._replace(size=len(content)), iter([(0, content)])) if item.kind == FILE else item
        for item in items
    ]
    writer.finish(packed, {})
    return Parcel(fd)


def unpack(parcel: Parcel, top: pathlib.Path, **more: bool) -> Arrival:
    arrival = Arrival(parcel, str(top), archive=more.get("archive", False), backup=more.get("backup", False))
    arrival.unpack()
    return arrival


def test_a_tree(tmp_path: pathlib.Path) -> None:
    items = [
        Item("", DIRECTORY, 0o755),
        Item("file", FILE, 0o640),
        Item("sub", DIRECTORY, 0o700),
        Item("sub/same", HARD_LINK, 0, target="file"),
        Item("sub/link", LINK, 0o777, target="../file"),
    ]
    top = tmp_path / "made" / "top"
    unpack(parcel(tmp_path, *items), top)
    assert (top / "file").read_text() == "pwned"
    assert (top / "file").stat().st_mode & 0o777 == 0o640
    assert (top / "sub/link").read_text() == "pwned"
    assert os.path.samefile(top / "file", top / "sub/same")


def test_a_link_leads_nowhere_else(tmp_path: pathlib.Path) -> None:
    """CVE-2019-18466: a link, and then something below it; the link may be from an earlier copy."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("untouched")
    top = tmp_path / "top"
    items = [Item("", DIRECTORY, 0o755), Item("a", LINK, 0o777, target=str(outside))]
    unpack(parcel(tmp_path, *items), top)
    for path in ("a/file", "a/new"):
        with pytest.raises(OSError):
            unpack(parcel(tmp_path, Item(path, FILE, 0o644)), top)
    (top / "f").symlink_to(outside / "file")
    unpack(parcel(tmp_path, Item("f", FILE, 0o644)), top)
    assert not (top / "f").is_symlink()
    assert os.listdir(outside) == ["file"]
    assert (outside / "file").read_text() == "untouched"


def test_backup_and_other_kinds(tmp_path: pathlib.Path) -> None:
    top = tmp_path / "top"
    (top / "was-a-directory").mkdir(parents=True)
    (top / "was-a-directory" / "x").touch()
    (top / "file").write_text("old")
    items = [Item("was-a-directory", FILE, 0o644), Item("file", FILE, 0o644)]
    arrival = unpack(parcel(tmp_path, *items), top, backup=True)
    assert (top / "was-a-directory").read_text() == "pwned"
    [backup] = arrival.backups
    assert pathlib.Path(backup).read_text() == "old"
    assert [name for name in os.listdir(top) if name.startswith(".")] == []


def test_only_another_mode(tmp_path: pathlib.Path) -> None:
    top = tmp_path / "top"
    top.write_text("stays")
    fd = os.open(tmp_path / "parcel", os.O_RDWR | os.O_CREAT)
    ParcelWriter(fd).finish([Item("", FILE, 0o600, size=5)], {})
    unpack(Parcel(fd), top)
    assert (top.read_text(), top.stat().st_mode & 0o777) == ("stays", 0o600)


def test_listing_and_contents(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one").write_bytes(b"one")
    (tmp_path / "two").write_bytes(b"two")
    (tmp_path / "link").symlink_to("sub")
    plain = list_files(str(tmp_path), follow=False)
    assert [(item.path, item.kind) for item in plain.items] == [
        ("", DIRECTORY), ("link", LINK), ("sub", DIRECTORY), ("sub/one", FILE), ("two", FILE)]  # fmt: skip
    followed = list_files(str(tmp_path), follow=True)
    assert "link/one" in followed.files
    buffer = io.BytesIO()
    assert write_contents(t.cast("t.BinaryIO", buffer), plain, ["sub/one", "two"]) == {"sub/one": 0, "two": 3}
    assert buffer.getvalue() == b"onetwo"
    assert list_files(str(tmp_path / "none"), follow=False) == Listed([], {})


def test_what_a_diff_shows(tmp_path: pathlib.Path) -> None:
    (tmp_path / "top").write_text("old")
    arrived = parcel(tmp_path, Item("", FILE, 0o644), content=b"new")
    [shown] = shown_arrivals(arrived, str(tmp_path / "top"), 100)
    assert (shown["before"], shown["after"]) == ("old", "new")
    binary = parcel(tmp_path, Item("", FILE, 0o644), content=b"\0")
    assert shown_arrivals(binary, str(tmp_path / "top"), 100)[0]["src_binary"] == 1
    assert shown_arrivals(arrived, str(tmp_path / "top"), 2)[0]["src_larger"] == 2
