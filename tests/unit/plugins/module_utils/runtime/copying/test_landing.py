# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What `compare` finds and `Landing` makes, on directories of this machine."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.compare import (
    Change,
    Wishes,
    compare,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.landing import (
    Landing,
    clear_leftovers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.modes import parse_mode
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.place import Place
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.tree_source import TreeSource
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    InvalidInput,
    NotFound,
)

Places = tuple[Place, Place]
OWN = Wishes(uid=os.getuid(), gid=os.getgid())
ALL = Wishes(archive=True)


@pytest.fixture
def places(tmp_path: pathlib.Path) -> t.Iterator[Places]:
    """One to copy from and one to copy to."""
    made = []
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
        made.append(Place(os.open(tmp_path / name, os.O_RDONLY | os.O_DIRECTORY), name))
    yield made[0], made[1]
    for place in made:
        place.close()
        os.close(place.root)


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """A source with a bit of everything."""
    top = tmp_path / "from" / "tree"
    (top / "sub" / "empty").mkdir(parents=True)
    (top / "file").write_text("file")
    (top / "sub" / "other").write_text("other")
    (top / "sub" / "link").symlink_to("other")
    return top


def copy(places: Places, wishes: Wishes = OWN, follow: bool = False) -> list[Change]:
    source = TreeSource(places[0], "/tree", follow=follow, archive=wishes.archive)
    changes = list(compare(source, places[1], "/new/tree", wishes))
    Landing(places[1], source, "/new/tree", wishes).carry_out(changes)
    again = TreeSource(places[0], "/tree", follow=follow, archive=wishes.archive)
    assert list(compare(again, places[1], "/new/tree", wishes)) == []
    return changes


def names(top: pathlib.Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def test_a_tree(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert [change.path for change in copy(places)] == [
        "/new", "/new/tree", "/new/tree/file", "/new/tree/sub", "/new/tree/sub/empty", "/new/tree/sub/link",
        "/new/tree/sub/other"]  # fmt: skip
    got = tmp_path / "to" / "new" / "tree"
    assert names(got) == names(tree)
    assert (got / "file").read_text() == "file"
    assert os.readlink(got / "sub/link") == "other"
    (tree / "file").write_text("elif")
    assert [change.what for change in copy(places)] == [("content",)]
    assert (got / "file").read_text() == "elif"


def test_links_may_be_followed(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tree / "nowhere").symlink_to("/none")
    (tree / "up").symlink_to("sub")
    copy(places, follow=True)
    got = tmp_path / "to" / "new" / "tree"
    assert not (got / "sub/link").is_symlink()
    assert (got / "up/other").read_text() == "other"
    assert os.readlink(got / "nowhere") == "/none"
    (tree / "sub" / "circle").symlink_to("..")
    with pytest.raises(InvalidInput, match="a link to a directory above it"):
        copy(places, follow=True)


def test_everything(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    os.link(tree / "file", tree / "sub" / "same")
    os.mkfifo(tree / "pipe", 0o600)
    (tree / "file").chmod(0o600)
    for path in (tree / "file", tree / "sub", tree):
        os.utime(path, ns=(1_600_000_000_123_456_789,) * 2)
    copy(places, ALL)
    got = tmp_path / "to" / "new" / "tree"
    assert os.path.samefile(got / "file", got / "sub/same")
    assert (got / "pipe").is_fifo()
    for name in ("file", "sub", "."):
        assert (got / name).stat().st_mtime_ns == (tree / name).stat().st_mtime_ns
    assert (got / "file").stat().st_mode & 0o777 == 0o600
    os.utime(tree / "file", (1, 1))
    assert [change.what for change in copy(places, ALL)] == [("time",)]
    (tree / "sub/other").write_text("other content")
    assert [change.path for change in copy(places, ALL)] == ["/new/tree/sub/other"]
    (got / "sub/same").unlink()
    (got / "sub/same").write_text("file")
    assert ("target",) in [change.what for change in copy(places, ALL)]
    assert os.path.samefile(got / "file", got / "sub/same")


def test_modes(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    copy(places)
    wishes = OWN._replace(mode=parse_mode("u=rw,go=", "mode"), directory_mode=parse_mode("0700", "mode"))
    (tree / "more").mkdir()
    assert [change.what for change in copy(places, wishes)] == [("mode",), ("new",), ("mode",)]
    got = tmp_path / "to" / "new" / "tree"
    assert (got / "more").stat().st_mode & 0o777 == 0o700
    assert (got / "sub").stat().st_mode & 0o777 == 0o755
    assert (got / "file").stat().st_mode & 0o777 == 0o600
    (tree / "file").chmod(0o751)
    copy(places, OWN._replace(preserve=True))
    assert (got / "file").stat().st_mode & 0o777 == 0o751


def test_holes(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    os.truncate(tree / "file", 1 << 30)
    copy(places)
    got = tmp_path / "to" / "new" / "tree" / "file"
    assert (got.stat().st_size, got.stat().st_blocks < 100) == (1 << 30, True)
    with open(got, "r+b") as file:
        file.seek(1 << 29)
        file.write(b"x")
    assert [change.what for change in copy(places)] == [("content",)]


def test_a_directory_stays_one(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    got = tmp_path / "to" / "new" / "tree"
    (got / "file").mkdir(parents=True)
    (got / "file" / "precious").touch()
    with pytest.raises(Conflict, match=r"/new/tree/file of to is a directory, and what is copied is a file"):
        copy(places)
    assert (got / "file" / "precious").exists()
    copy(places, OWN._replace(replace_kind=True))
    assert (got / "file").read_text() == "file"
    (got / "sub/empty").rmdir()
    (got / "sub/empty").touch()
    with pytest.raises(Conflict, match="is not a directory"):
        copy(places)
    copy(places, OWN._replace(replace_kind=True))
    assert (got / "sub/empty").is_dir()
    assert names(got) == names(tree)


def test_one_file_in_the_place_of_a_directory(places: Places, tmp_path: pathlib.Path) -> None:
    (tmp_path / "from" / "tree").write_text("file")
    got = tmp_path / "to" / "new" / "tree"
    (got / "sub").mkdir(parents=True)
    copy(places, OWN._replace(replace_kind=True))
    assert got.read_text() == "file"
    assert os.listdir(got.parent) == ["tree"]


def test_what_is_there_may_stay(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    copy(places)
    (tree / "file").write_text("changed")
    (tree / "new").write_text("new")
    source = TreeSource(places[0], "/tree")
    changes = list(compare(source, places[1], "/new/tree", OWN._replace(force=False)))
    assert [change.path for change in changes] == ["/new/tree/new"]


def test_backups(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    copy(places)
    (tree / "file").write_text("changed")
    source = TreeSource(places[0], "/tree")
    wishes = OWN._replace(backup=True)
    landing = Landing(places[1], source, "/new/tree", wishes)
    landing.carry_out(compare(source, places[1], "/new/tree", wishes))
    [backup] = landing.backups
    assert (tmp_path / "to" / backup.lstrip("/")).read_text() == "file"


def test_links_below_a_guarded_path_are_not_followed(
    places: Places, tree: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    outside = tmp_path / "to" / "outside"
    outside.mkdir()
    got = tmp_path / "to" / "new" / "tree"
    got.mkdir(parents=True)
    (got / "sub").symlink_to("/outside")
    places[1].guard("/new")
    with pytest.raises(Conflict, match="/new/tree/sub of to is not a directory"):
        copy(places)
    assert os.listdir(outside) == []


def test_what_a_killed_copy_has_left(places: Places, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tree / ".coracle-copy.0123456789abcdef").mkdir()
    copy(places)
    got = tmp_path / "to" / "new" / "tree"
    assert ".coracle-copy.0123456789abcdef" not in names(got)
    (got / ".coracle-copy.fedcba9876543210" / "1").mkdir(parents=True)
    (tree / "file").write_text("changed")
    copy(places)
    assert [name for name in names(got) if "coracle" in name] == []
    (got / ".coracle-copy.fedcba9876543210" / "1").mkdir(parents=True)
    clear_leftovers(places[1], "/new/tree")
    assert [name for name in names(got) if "coracle" in name] == []


def test_special_files_are_left_out(places: Places, tree: pathlib.Path) -> None:
    os.mkfifo(tree / "pipe")
    source = TreeSource(places[0], "/tree")
    list(source.items())
    assert source.left_out == ["/tree/pipe"]
    with pytest.raises(InvalidInput, match="is no file"):
        list(TreeSource(places[0], "/tree/pipe").items())
    with pytest.raises(NotFound, match="there is no /none in from"):
        list(TreeSource(places[0], "/none").items())
