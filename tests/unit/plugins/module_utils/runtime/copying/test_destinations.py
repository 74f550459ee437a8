# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.destinations import (
    as_copy,
    as_docker,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.place import Place
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError

Answer = t.Union[tuple[str, bool], str]
"""Top and whether it keeps what it is, or a piece of the refusal."""


@pytest.fixture
def place(tmp_path: pathlib.Path) -> t.Iterator[Place]:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/dir")
    place = Place(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), "it")
    yield place
    place.close()
    os.close(place.root)


def found(rule: t.Callable[..., t.Any], *arguments: t.Any, **more: t.Any) -> Answer:
    try:
        top, keeps_top = rule(*arguments, **more)
        return top, keeps_top
    except CoracleError as error:
        return str(error)


@pytest.mark.parametrize(
    ("dest", "is_directory", "content_only", "answer"),
    [
        ("/none", False, False, ("/none", False)),
        ("none", False, False, ("/none", False)),
        ("/none/", False, False, ("/none/x", False)),
        ("/none/deep", False, False, "there is no directory /none"),
        ("/none/deep/", False, False, ("/none/deep/x", False)),
        ("/file", False, False, ("/file", False)),
        ("/dir", False, False, ("/dir/x", False)),
        ("/link", False, False, ("/link/x", False)),
        ("//dir//./", False, False, ("/dir/x", False)),
        ("/", False, False, ("/x", False)),
        ("/none", True, False, ("/none/x", False)),
        ("/dir", True, False, ("/dir/x", False)),
        ("/dir", True, True, ("/dir", True)),
        ("/none", True, True, ("/none", True)),
        ("/file", True, False, "/file of it is not a directory"),
    ],
)
def test_copy(place: Place, dest: str, is_directory: bool, content_only: bool, answer: Answer) -> None:
    got = found(as_copy, place, dest, "x", is_directory=is_directory, content_only=content_only)
    assert got == answer or (isinstance(answer, str) and answer in str(got))


def test_a_text_needs_a_name(place: Place) -> None:
    got = found(as_copy, place, "/dir", "", is_directory=False, content_only=False)
    assert "with content, dest is a file" in str(got)


@pytest.mark.parametrize(
    ("dest", "is_directory", "content_only", "answer"),
    [
        ("/none", False, False, ("/none", False)),
        ("/none/", False, False, "there is no directory /none"),
        ("/none/deep", False, False, "there is no directory /none"),
        ("/file", False, False, ("/file", False)),
        ("/dir", False, False, ("/dir/x", False)),
        ("/none", True, False, ("/none", True)),
        ("/none", True, True, ("/none", True)),
        ("/none/deep", True, False, "there is no directory /none"),
        ("/file", True, False, "a directory cannot be copied to a file"),
        ("/dir", True, False, ("/dir/x", False)),
        ("/dir", True, True, ("/dir", True)),
    ],
)
def test_docker(place: Place, dest: str, is_directory: bool, content_only: bool, answer: Answer) -> None:
    got = found(as_docker, place, dest, "x", is_directory=is_directory, content_only=content_only)
    assert got == answer or (isinstance(answer, str) and answer in str(got))
