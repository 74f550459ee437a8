# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every word of the table is there, explains itself, and can be completed."""

from __future__ import annotations

import argparse
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command import main, usage
from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.complete import candidates
from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.words import (
    GROUPS,
    WORDS,
    Word,
    find_word,
    words_of,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

_SPELLINGS = {word.name for word in WORDS}


@pytest.fixture(autouse=True)
def _umask() -> t.Iterator[None]:
    """The command has one of its own."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_a_word_can_be_used_and_explains_itself(word: Word) -> None:
    parser, module = main.parser_of(word)
    assert callable(module.run)
    text = usage.help_of_word(parser)
    assert text.startswith(f"Usage:  coracle {word.name}")
    unexplained = [
        action.option_strings
        for action in parser.options
        if action.help != argparse.SUPPRESS and not action.help
    ]
    assert unexplained == []
    assert max(map(len, text.splitlines())) <= 130


def test_the_reference_lists_every_word() -> None:
    lines = (pathlib.Path(__file__).parents[6] / "docs" / "command.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| `") and line.split("`")[1] in _SPELLINGS]
    words = sorted((word for word in WORDS if word.help), key=lambda word: (" " in word.name, word.name))
    assert table == [f"| `{word.name}` | {word.help} |" for word in words]


def test_no_two_words_are_spelled_alike() -> None:
    spellings = [spelling for word in WORDS for spelling in word.spellings]
    assert len(set(spellings)) == len(spellings)
    assert {spelling.split()[0] for spelling in spellings if " " in spelling} <= set(GROUPS)


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("ps -a", "ps", ["-a"]),
        ("container ls -a", "ps", ["-a"]),
        ("container rm x", "rm", ["x"]),
        ("image inspect x", "image inspect", ["x"]),
        ("nosuch", None, ["nosuch"]),
        ("container nosuch", None, ["container", "nosuch"]),
    ],
)
def test_words_of_one_and_two(line: str, name: str | None, rest: list[str]) -> None:
    word, left = main.split_word(line.split())
    assert (word and word.name, left) == (name, rest)


def test_options_before_the_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORACLE_ROOT", "/of/environment")
    monkeypatch.delenv("CORACLE_RUN_ROOT", raising=False)
    assert main.read_line(["ps", "--json"]) == ("/of/environment", "", False, ["ps", "--json"])
    assert main.read_line(["--root", "/a", "--run-root=/b", "--json", "ps"]) == ("/a", "/b", True, ["ps"])
    assert main.read_line(["--version"]).words == ["version"]


@pytest.mark.parametrize(
    ("line", "code", "complaint"),
    [
        ("nosuch", 1, "unknown command: coracle nosuch"),
        ("container pss", 1, "Did you mean 'coracle container ps'?"),
        ("--nosuch ps", 125, "unknown flag: --nosuch"),
        ("--root", 125, "flag needs an argument: --root"),
        ("--root relative ps", 125, "'relative' is not an absolute path"),
        ("--root /a --run-root /a ps", 125, "the same directory"),
        ("ps -zz", 125, "Usage:  coracle ps [OPTIONS]"),
    ],
)
def test_what_is_not_understood(
    line: str, code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run_command(line.split()) == code
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", "Common Commands:"),
        ("--help", "Common Commands:"),
        ("help", "Global Options:"),
        ("help ps", "Usage:  coracle ps [OPTIONS]"),
        ("ps --help", "List containers"),
        ("container --help", "Usage:  coracle container COMMAND"),
        ("help container", "Manage containers"),
    ],
)
def test_help(line: str, wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run_command(line.split()) == 0
    assert wanted in capsys.readouterr().out


def test_groups_list_their_words() -> None:
    assert {"ls", "rm", "inspect"} <= set(words_of("container"))
    assert find_word("container ls") == find_word("ps")


@pytest.mark.parametrize(
    ("before", "wanted", "unwanted"),
    [
        ([], {"ps", "run", "container", "--root"}, {"complete"}),
        (["container"], {"ls", "inspect"}, {"run-root"}),
        (["ps"], {"--filter", "--format"}, {"ps"}),
        (["run", "--pull"], {"always", "missing", "never"}, {"--pull"}),
        (["run", "--env-file"], {":files"}, set()),
        (["run", "alpine"], {":files"}, {"--rm"}),
    ],
)
def test_completion(before: list[str], wanted: set[str], unwanted: set[str]) -> None:
    with Engine(Paths("/nowhere/root", "/nowhere/run")) as engine:
        found = set(candidates(engine, before))
    assert wanted <= found
    assert not unwanted & found
