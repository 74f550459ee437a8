# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""YAML, files of variables, variables in texts, and the options of the task around them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.document import parse_document
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.dotenv import parse_dotenv
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.interpolate import Interpolation
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.task import expanded

KNOWN = {"A": "one", "E": "", "NESTED": "A"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:22", "22:22"),
        ("no", "no"),
        ("on", "on"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("0.0.0.0", "0.0.0.0"),
        ("'7'", "7"),
    ],
)
def test_yaml_is_that_of_compose(text: str, value: t.Any) -> None:
    assert parse_document(f"a: {text}".encode(), "x") == {"a": value}


def test_anchors_and_merges() -> None:
    text = b"x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [*x, {c: 4}]}\n"
    found = parse_document(text, "x")
    assert found["y"] == {"a": 1, "b": 3}
    assert found["z"] == {"a": 1, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: 1\na: 2\n", "x is not YAML: line 2: a is there twice"),
        (b"a: [1\n", "x is not YAML: line 2: "),
        (b"a: !reset 1\n", "x is not YAML: line 1: could not determine a constructor for the tag '!reset'"),
        (b"- a\n", "x is not a Compose file: it is no mapping"),
        (b"a: \xff\n", "x is not YAML: "),
        (b"", "x is not a Compose file"),
    ],
)
def test_what_is_no_compose_file(content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_document(content, "x")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-${A}", "one-one"),
        ("$$A $${A}", "$A ${A}"),
        ("${E:-x}${E-x}", "x"),
        ("${NO-x}${NO:-y}", "xy"),
        ("${A:+x}${E:+y}${E+z}${NO+n}", "xz"),
        ("${NO:-${E:-${A}}}", "one"),
        ("${NO:-a}b}", "ab}"),
        ("${A:?never}", "one"),
        ("$NO.", "."),
        ("a$A/b", "aone/b"),
    ],
)
def test_variables(text: str, value: str) -> None:
    interpolation = Interpolation(KNOWN)
    assert interpolation.of({"key $A": [text, 1, None]}) == {"key $A": [value, 1, None]}
    assert interpolation.problems == []


@pytest.mark.parametrize("text", ["$", "${", "${A", "${}", "${A!x}", "$1", "${NO:?}", "${E:?}", "a $ b"])
def test_variables_that_are_none(text: str) -> None:
    interpolation = Interpolation(KNOWN)
    interpolation.of({"a": {"b": text}})
    [problem] = interpolation.problems
    assert str(problem).startswith("a.b: ")


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("A=1\n\n# no\nexport B = 2 # no\r\n", {"A": "1", "B": "2"}),
        ("A='$X # y'\nB=\"a\\nb $C\"\n", {"A": "$X # y", "B": "a\nb "}),
        ('A="two\nlines"\nB=x#y', {"A": "two\nlines", "B": "x#y"}),
        ("A=1\nB=${A}2\nC=$$A", {"A": "1", "B": "12", "C": "$A"}),
        ('A="\\$B \\"q\\""', {"A": '$B "q"'}),
        ("K\nNO\n", {"K": "known"}),
        ("A=\nB=''", {"A": "", "B": ""}),
        ("\ufeffA=1", {"A": "1"}),
    ],
)
def test_files_of_variables(text: str, variables: dict[str, str]) -> None:
    assert parse_dotenv(text.encode(), ".env", {"K": "known"}) == variables


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"A=1\n1A=2", ".env, line 2 is not NAME=value"),
        (b"A='1' 2", ".env, line 1 is not NAME=value"),
        (b"A=${", ".env, line 1: has a ${"),
        (b"\xff", ".env is not UTF-8 text at byte 0"),
    ],
)
def test_files_that_have_none(content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_dotenv(content, ".env", {})
    assert str(caught.value).startswith(said)


# The task

FILE = b"services: {web: {image: 'i:${TAG}', hostname: '$NO'}}"


def test_a_task_says_what_its_file_says() -> None:
    files = {"c.yml": FILE, ".env": b"TAG=1\nCOMPOSE_PROFILES=a,b"}
    args = {
        "compose_file": "shop/c.yml",
        "compose_environment": {"TAG": 2},
        "containers": [{"name": "more"}],
        "purge": True,
    }
    found, warnings = expanded(args, files.get, "/play/shop")
    assert warnings == ["the Compose file uses NO, which has no value"]
    assert found == {
        "purge": True,
        "project": "shop",
        "containers": [
            {
                "name": "shop-web-1",
                "image": "i:2",
                "hostname": "",
                "networks": [{"name": "shop_default", "aliases": ["web"]}],
            },
            {"name": "more"},
        ],
        "networks": [{"name": "shop_default"}],
        "volumes": [],
    }


def test_a_project_is_not_named_after_the_files_of_a_role() -> None:
    files = {"c.yml": FILE, ".env": b"TAG=1"}
    with pytest.raises(InvalidInput, match="the Compose file has no name"):
        expanded({"compose_file": "c.yml"}, files.get, "/roles/shop/files")
    found, _warnings = expanded({"compose_file": "c.yml", "project": "p"}, files.get, "/roles/shop/files")
    assert found["project"] == "p"


def test_the_text_of_a_file_inline() -> None:
    found, _warnings = expanded({"compose": FILE.decode(), "project": "p"}, lambda _path: None)
    assert [one["name"] for one in found["containers"]] == ["p-web-1"]


def test_on_the_target_its_directory_is_that_of_the_volumes() -> None:
    files = {"c.yml": b"services: {web: {image: i, volumes: ['./x:/x']}}"}
    found, _warnings = expanded(
        {"compose_file": "/srv/shop/c.yml", "remote_src": "yes"}, files.get, "/srv/shop"
    )
    assert found["containers"][0]["volumes"] == ["/srv/shop/x:/x"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"compose": {"a": 1}, "compose_file": "x"}, "there are compose and compose_file"),
        ({"compose": {}, "project": "p"}, "compose is empty"),
        ({"compose": "", "project": "p"}, "compose is empty"),
        ({"compose_file": ""}, "compose_file is empty"),
        ({"compose_file": "x"}, "there is no file x"),
        ({"compose_file": "x", "remote_src": True}, "compose_file: x is not an absolute path"),
        ({"compose": {"services": {"a": {"image": "i"}}}}, "the Compose file has no name"),
        ({"compose": {"services": {}}, "project": "p"}, "services: there are none"),
        ({"compose": {"a": 1}, "compose_directory": "x"}, "compose_directory: x is not an absolute path"),
        ({"compose": {"a": 1}, "compose_environment": "x"}, "compose_environment is not a dictionary"),
    ],
)
def test_what_a_task_cannot_say(args: dict[str, t.Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        expanded(args, lambda _path: None)
    assert str(caught.value).startswith(said)
