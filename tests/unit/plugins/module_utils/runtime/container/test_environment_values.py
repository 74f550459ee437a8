# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.environment_values import (
    parse_env,
    parse_env_file,
    parse_labels,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


def test_env_is_sorted_and_taken_literally() -> None:
    assert list(parse_env({"B": "2", "A": 'x=y "q"\nnext line'}, "env").items()) == [
        ("A", 'x=y "q"\nnext line'),
        ("B", "2"),
    ]


@pytest.mark.parametrize("value", [True, 1, 1.5, None, ["a"], {"a": "b"}])
def test_env_values_must_be_strings(value: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"^env: the value of DEBUG is a .*, not a string") as error:
        parse_env({"A": "fine", "DEBUG": value}, "env")
    assert error.value.hint == 'quote it, for example DEBUG: "..."'


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x\udc80"])
def test_values_that_no_program_can_get(value: str) -> None:
    for parse in (parse_env, parse_labels):
        with pytest.raises(InvalidInput, match=r"the value of A contains a NUL byte or is not UTF-8$"):
            parse({"A": value}, "env")


@pytest.mark.parametrize("name", ["", "A=B", "A\n", "\0", 5, None])
def test_env_names(name: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"^env: .* is not the name of an environment variable"):
        parse_env({name: "x"}, "env")


def test_errors_do_not_show_values() -> None:
    for broken in ({"TOKEN": "hunter2\0"}, {"TOKEN=hunter2": 1}, "TOKEN=hunter2"):
        with pytest.raises(InvalidInput) as error:
            parse_env(broken if isinstance(broken, str) else {"TOKEN": b"hunter2"}, "env")
        assert "hunter2" not in str(error.value)


def test_env_file() -> None:
    content = "\ufeff# comment\n\nA=1\n  B = spaces stay\n"
    with pytest.raises(InvalidInput, match=r"line 4 of /etc/app.env is not NAME=value"):
        parse_env_file(content.encode(), "/etc/app.env")
    content = "\ufeff# comment\n\nA=1\r\n  B= spaces stay \nC='quotes stay'\nD=\n #x=1\nA=2\nE=a=b#c\n"
    assert parse_env_file(content.encode(), "/x") == {
        "A": "2", "B": " spaces stay ", "C": "'quotes stay'", "D": "", "E": "a=b#c",
    }  # fmt: skip


@pytest.mark.parametrize("line", [b"HOME", b"=x", b"A B=c", b"A=x\0y", b"export A=1"])
def test_env_file_lines_that_are_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^env_file: line 2 of /x is not NAME=value"):
        parse_env_file(b"A=1\n" + line + b"\n", "/x")


def test_env_file_that_is_not_text() -> None:
    with pytest.raises(InvalidInput, match=r"^env_file: /x is not UTF-8 text at byte 2"):
        parse_env_file(b"A=\xff", "/x")


def test_labels() -> None:
    assert parse_labels({"b": "x", "a.b/c": 3, "e": None}, "labels") == {"a.b/c": "3", "b": "x", "e": ""}


@pytest.mark.parametrize(
    "labels", [{"a": True}, {"a": 1.0}, {"": "x"}, {1: "x"}, {"a\n": "x"}, {"a": ["x"]}, "a=b"]
)
def test_labels_that_are_refused(labels: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"^labels: "):
        parse_labels(labels, "labels")
