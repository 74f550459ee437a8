# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rows are printed as Docker prints them."""

from __future__ import annotations

import io
import json
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.context import Context
from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.table import (
    Column,
    aligned,
    print_rows,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

COLUMNS = (Column("ID", "CONTAINER ID"), Column("Image", "IMAGE"), Column("Names", "NAMES"))
ROWS = [
    {"ID": "adb6732a399d", "Image": "centos", "Names": "testos2", "Label": lambda name: f"<{name}>"},
    {"ID": "875366cc4662", "Image": "registry.example.com/x", "Names": "testos", "Label": lambda _name: ""},
]


def printed(form: str | None = None, quiet: str | None = None, as_json: bool = False) -> str:
    out = io.StringIO()
    context = Context(t.cast(t.Any, None), out, out, io.StringIO(), json=as_json)
    print_rows(context, COLUMNS, ROWS, shown=("ID", "Image", "Names"), form=form, quiet=quiet)
    return out.getvalue()


@pytest.mark.parametrize("form", [None, "table"])
def test_the_table(form: str | None) -> None:
    assert printed(form) == (
        "CONTAINER ID   IMAGE                    NAMES\n"
        "adb6732a399d   centos                   testos2\n"
        "875366cc4662   registry.example.com/x   testos\n"
    )


def test_an_empty_table_is_docker_s_to_the_blank() -> None:
    """From a transcript of `docker ps -a`."""
    header = "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES"
    cells = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert aligned([cells]) == header + "\n"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{{.Names}}", "testos2\ntestos\n"),
        (r"{{.Names}}\t{{.ID}}", "testos2\tadb6732a399d\ntestos\t875366cc4662\n"),
        (r"table {{.Names}}\t{{.Image}}",
         "NAMES     IMAGE\ntestos2   centos\ntestos    registry.example.com/x\n"),
        ('table {{.Names}}\t{{.Label "x"}}', "NAMES     x\ntestos2   <x>\ntestos    \n"),
    ],
)  # fmt: skip
def test_templates(form: str, text: str) -> None:
    assert printed(form) == text


def test_json_has_what_templates_have() -> None:
    rows = [{name: value for name, value in row.items() if name != "Label"} for row in ROWS]
    assert [json.loads(line) for line in printed("json").splitlines()] == rows
    assert json.loads(printed(as_json=True)) == rows


def test_quiet_is_ids_unless_a_template_says_something_else() -> None:
    assert printed(quiet="ID") == "adb6732a399d\n875366cc4662\n"
    assert printed("table {{.Names}}", quiet="ID") == "adb6732a399d\n875366cc4662\n"
    assert printed("{{.Names}}", quiet="ID") == "testos2\ntestos\n"


def test_a_field_that_does_not_exist_is_told() -> None:
    with pytest.raises(InvalidInput, match="there is no field Name; there are ID, Image, Names"):
        printed("{{.Name}}")
