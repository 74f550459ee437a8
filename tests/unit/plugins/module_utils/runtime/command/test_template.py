# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Templates say what Go's would."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.template import parse_template
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

DOCUMENT: dict[str, t.Any] = {
    "Name": "/web",
    "Up": True,
    "Code": 0,
    "Nothing": None,
    "Env": ["A=1", "B=2"],
    "State": {"Status": "running", "Pid": 42},
    "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "90/tcp": None},
    "Networks": {"front": {"IPAddress": "10.0.0.2"}, "back": {"IPAddress": "10.1.0.2"}},
    "Label": {"a.b": "c"}.get,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{.Name}} {{ .State.Status }}", "/web running"),
        ("{{.Up}} {{.Code}} {{.Nothing}} {{.State.Missing}}", "true 0 <nil> <no value>"),
        ("{{.Env}}", "[A=1 B=2]"),
        ("{{.State}}", "map[Pid:42 Status:running]"),
        ("{{json .Env}}", '["A=1","B=2"]'),
        ("{{json .State}}", '{"Status":"running","Pid":42}'),
        ("{{.State | json}}", '{"Status":"running","Pid":42}'),
        ('{{join .Env ", "}} {{len .Env}}', "A=1, B=2 2"),
        ('{{(index (index .Ports "80/tcp") 0).HostPort}}', "8080"),
        ('{{with index .Ports "90/tcp"}}yes{{else}}no{{end}}', "no"),
        ("{{range .Env}}<{{.}}>{{end}}", "<A=1><B=2>"),
        ("{{range $i, $e := .Env}}{{$i}}={{$e}};{{end}}", "0=A=1;1=B=2;"),
        ("{{range $name, $net := .Networks}}{{$name}} {{$net.IPAddress}}\n{{end}}",
         "back 10.1.0.2\nfront 10.0.0.2\n"),
        ("{{range .Networks}}{{.IPAddress}} {{end}}", "10.1.0.2 10.0.0.2 "),
        ("{{range .Nothing}}x{{else}}none{{end}}", "none"),
        ("{{if .Up}}up{{else}}down{{end}}", "up"),
        ("{{if .Code}}a{{else if .Nothing}}b{{else}}c{{end}}", "c"),
        ('{{if eq .State.Status "exited" "running"}}x{{end}}', "x"),
        ("{{if and .Up (not .Code)}}x{{end}}", "x"),
        ("{{$n := .Name}}{{range .Env}}{{$n}}{{$.Code}}{{end}}", "/web0/web0"),
        ("a {{- .Code -}} b", "a0b"),
        ("a{{/* no */}}b", "ab"),
        ('{{printf "%s|%5d|%-4s|%q" .Name .State.Pid "x" "y"}}', '/web|   42|x   |"y"'),
        ("{{upper .Name}} {{.Name | lower | title}}", "/WEB /Web"),
        ('{{.Label "a.b"}}', "c"),
        ("{{truncate .Name 3}}", "/we"),
        ("{{println .Code}}", "0\n"),
        ('{{"{{"}}', "{{"),
    ],
)  # fmt: skip
def test_rendering(template: str, text: str) -> None:
    assert parse_template(template).render(DOCUMENT) == text


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{.Name", "unclosed action"),
        ("{{if .Up}}x", "has no {{end}}"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{nosuch .Name}}", "'nosuch' not defined"),
        ("{{.Name | }}", "missing value"),
        ("{{(.Name}}", "missing )"),
        ("{{.Name ?}}", "unexpected '?'"),
        ("{{index .Env 7}}", "index out of range"),
        ("{{$x}}", "undefined variable '$x'"),
    ],
)
def test_what_is_wrong_is_named(template: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match="template parsing error") as caught:
        parse_template(template).render(DOCUMENT)
    assert complaint in str(caught.value)


def test_a_row_knows_its_fields() -> None:
    with pytest.raises(InvalidInput, match="there is no field Namse; there are Name, Up"):
        parse_template("{{.Namse}}").render(DOCUMENT, strict=True)
    assert parse_template("{{range .Networks}}{{.Missing}}{{end}}").render(DOCUMENT, strict=True) == (
        "<no value><no value>"
    )
