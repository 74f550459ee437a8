# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The line is read as Docker's command reads it."""

from __future__ import annotations

import argparse
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.parser import Parser, UsageError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.usage import (
    help_of_word,
    usage_line,
)


def run_parser() -> Parser:
    parser = Parser("run")
    parser.add_argument("-d", "--detach", action="store_true", help="Go on without us")
    parser.add_argument("-i", "--interactive", action="store_true")
    parser.add_argument("-t", "--tty", action="store_true")
    parser.add_argument("-p", "--publish", action="append", default=[], help="Publish 100%%")
    parser.add_argument("--name", metavar="string")
    parser.add_argument("-n", "--number", type=int)
    parser.add_argument("--restart", choices=["no", "always"], default="no", help="When it ends")
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="[COMMAND] [ARG...]")
    parser.add_common()
    return parser


def rm_parser() -> Parser:
    parser = Parser("rm")
    parser.add_argument("-f", "--force", action="store_true")
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    parser.add_common()
    return parser


def parsed(parser: Parser, line: str) -> dict[str, t.Any]:
    return vars(parser.parse(line.split()))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("-dit alpine", {"detach": True, "interactive": True, "tty": True, "image": "alpine"}),
        ("-itp8080:80 alpine", {"detach": False, "tty": True, "publish": ["8080:80"]}),
        ("-p 1:1 -p=2:2 --publish 3:3 --publish=4:4 alpine", {"publish": ["1:1", "2:2", "3:3", "4:4"]}),
        ("-p -1 alpine", {"publish": ["-1"]}),
        ("--detach=false -t=true -i=0 alpine", {"detach": False, "tty": True, "interactive": False}),
        ("--name= alpine", {"name": ""}),
        ("alpine ls -l --name x", {"name": None, "command": ["ls", "-l", "--name", "x"]}),
        ("alpine -- x --", {"command": ["--", "x", "--"]}),
        ("-- alpine -x", {"image": "alpine", "command": ["-x"]}),
        ("--json alpine --help", {"json": True, "command": ["--help"]}),
    ],
)
def test_options_of_a_word_that_takes_a_command(line: str, wanted: dict[str, t.Any]) -> None:
    found = parsed(run_parser(), line)
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("line", ["-f web db", "web -f db", "web db --force", "--force=true -- web db"])
def test_options_may_come_after_names(line: str) -> None:
    found = parsed(rm_parser(), line)
    assert (found["force"], found["containers"]) == (True, ["web", "db"])


def test_help_comes_before_everything_else() -> None:
    assert run_parser().parse(["--name", "x", "--help"]).help


@pytest.mark.parametrize(
    ("parser", "line", "complaint", "code"),
    [
        (run_parser, "--nmae x alpine", "unknown flag: --nmae\nDid you mean '--name'?", 125),
        (run_parser, "--nam x alpine", "unknown flag: --nam", 125),
        (run_parser, "-dx alpine", "unknown shorthand flag: 'x' in -dx", 125),
        (run_parser, "alpine2 --", None, 0),
        (run_parser, "--name", "flag needs an argument: --name", 125),
        (run_parser, "-dp", "flag needs an argument: -p", 125),
        (run_parser, "--tty=perhaps alpine", 'invalid argument "perhaps" for "--tty"', 125),
        (
            run_parser,
            "--restart often alpine",
            'invalid argument "often" for "--restart": choose one of no, always',
            125,
        ),
        (run_parser, "", "'coracle run' requires at least 1 argument", 1),
        (rm_parser, "-f", "'coracle rm' requires at least 1 argument", 1),
    ],
)
def test_what_cannot_be_understood(
    parser: t.Callable[[], Parser], line: str, complaint: str | None, code: int
) -> None:
    if complaint is None:
        parser().parse(line.split())
        return
    with pytest.raises(UsageError) as caught:
        parser().parse(line.split())
    assert complaint in str(caught.value)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("shapes", "count", "complaint"),
    [
        ([], 1, "'coracle x' accepts no arguments"),
        ([None, None], 1, "'coracle x' requires 2 arguments"),
        ([None, "?"], 3, "'coracle x' requires at least 1 and at most 2 arguments"),
    ],
)
def test_the_number_of_names(shapes: list[str | None], count: int, complaint: str) -> None:
    parser = Parser("x")
    for index, shape in enumerate(shapes):
        parser.add_argument(f"name{index}", nargs=shape)
    with pytest.raises(UsageError, match=complaint):
        parser.parse(["a"] * count)


def test_the_usage_line_is_docker_s() -> None:
    assert usage_line(run_parser()) == "Usage:  coracle run [OPTIONS] IMAGE [COMMAND] [ARG...]"
    assert usage_line(rm_parser()) == "Usage:  coracle rm [OPTIONS] CONTAINER [CONTAINER...]"


def test_help_shows_every_option_in_docker_s_columns() -> None:
    lines = help_of_word(run_parser()).splitlines()
    assert "  -d, --detach              Go on without us" in lines
    assert "      --name string" in lines
    assert "  -p, --publish list        Publish 100%" in lines
    assert '      --restart no|always   When it ends (default "no")' in lines
