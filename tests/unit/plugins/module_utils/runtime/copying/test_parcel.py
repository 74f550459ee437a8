# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import io
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.items import (
    DIRECTORY,
    FILE,
    HARD_LINK,
    LINK,
    Item,
    Pieces,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.parcel import (
    Parcel,
    ParcelWriter,
    pack_list,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import IntegrityError

ITEMS = [
    Item("", DIRECTORY, 0o755, 1, 2, 3),
    Item("a b", FILE, 0o644, size=300_000, xattrs={"user.x": b"\0\xff"}),
    Item("not-\udcff-text", FILE, 0o600, size=3),
    Item("link", LINK, 0o777, target="/etc/\udcff"),
    Item("other", HARD_LINK, 0, target="a b"),
]
CONTENT = {"a b": b"x" + bytes(299_998) + b"y", "not-\udcff-text": b"abc"}


@pytest.fixture
def file(tmp_path: pathlib.Path) -> t.Iterator[io.BufferedRandom]:
    with open(tmp_path / "parcel", "w+b") as file:
        yield file


def whole(pieces: Pieces, size: int) -> bytes:
    data = bytearray(size)
    for offset, piece in pieces:
        data[offset : offset + len(piece)] = piece
    return bytes(data)


def write(file: io.BufferedRandom) -> list[Item]:
    writer = ParcelWriter(file.fileno())
    items = [
        writer.add(item, iter([(0, CONTENT[item.path])])) if item.kind == FILE else item for item in ITEMS
    ]
    writer.finish(items, {"name": "it"})
    return items


def test_there_and_back(file: io.BufferedRandom) -> None:
    items = write(file)
    parcel = Parcel(file.fileno())
    assert list(parcel.items()) == items
    assert parcel.facts == {"name": "it"}
    for item in items:
        assert parcel.has(item) is (item.kind == FILE)
        if item.kind == FILE:
            assert whole(parcel.content(item), item.size) == CONTENT[item.path]


def test_zeros_become_holes(file: io.BufferedRandom) -> None:
    items = write(file)
    offsets = [offset for offset, _piece in Parcel(file.fileno()).content(items[1])]
    assert offsets == [0, 262144]


def test_a_list_without_contents(file: io.BufferedRandom, tmp_path: pathlib.Path) -> None:
    (tmp_path / "contents").write_bytes(b"....abc")
    file.write(pack_list([ITEMS[2]], {}, {ITEMS[2].path: 4}))
    file.flush()
    with open(tmp_path / "contents", "rb") as contents:
        parcel = Parcel(file.fileno(), contents.fileno())
        assert whole(parcel.content(ITEMS[2]), 3) == b"abc"


def test_content_that_is_not_there(file: io.BufferedRandom) -> None:
    file.write(pack_list(ITEMS, {}))
    file.flush()
    with pytest.raises(IntegrityError, match="no content of a b"):
        list(Parcel(file.fileno()).content(ITEMS[1]))


def test_content_that_was_changed(file: io.BufferedRandom) -> None:
    items = write(file)
    os.pwrite(file.fileno(), b"z", 5)
    with pytest.raises(IntegrityError, match="a b was changed"):
        list(Parcel(file.fileno()).content(items[1]))


@pytest.mark.parametrize("cut", [0, 1, 20, 100])
def test_truncated(file: io.BufferedRandom, cut: int) -> None:
    write(file)
    file.truncate(cut)
    with pytest.raises(IntegrityError, match="truncated"):
        Parcel(file.fileno())


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "a//b", ".", "a/.", "nul\0"])
def test_names_that_lead_elsewhere(file: io.BufferedRandom, path: str) -> None:
    file.write(pack_list([ITEMS[0]._replace(path=path)], {}))
    file.flush()
    with pytest.raises(IntegrityError, match="wrong entry"):
        Parcel(file.fileno())


@pytest.mark.parametrize(
    "values", [1, [], ["a"], ["a", "device", 0, 0, 0, 0, 0, "", ""], ["a", FILE, 0, 0, 0, 0, -1, "", ""],
               ["a", FILE, "0", 0, 0, 0, 0, "", ""], ["a", HARD_LINK, 0, 0, 0, 0, 0, "", "../x"],
               ["a", FILE, 0, 0, 0, 0, 0, "", "", {"user.x": "no hex"}]]
)  # fmt: skip
def test_wrong_entries(values: t.Any) -> None:
    with pytest.raises(IntegrityError):
        Item.from_json(values)
