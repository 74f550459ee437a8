# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rows as Docker prints them: a table, one template a row, JSON, or names alone.

    --format 'table {{.Names}}\\t{{.Status}}'    a table with headers
    --format '{{.Names}}: {{.Status}}'          a line for each row
    --format json                               a JSON document a line
    --json                                      one JSON list
    -q                                          ids

The columns are those of Go's text/tabwriter as Docker's command sets it up.
"""

from __future__ import annotations

import argparse
import typing as t

if t.TYPE_CHECKING:
    from .context import Context

_SPACE = 3  # between columns
NARROWEST = 10

Row = t.Mapping[str, t.Any]
"""Values by placeholder; one that can be called (`{{.Label "x"}}`) is for templates only."""


class Column(t.NamedTuple):
    """`field` is the placeholder in templates: `{{.Names}}`."""

    field: str
    header: str


def add_format(parser: argparse.ArgumentParser, columns: t.Sequence[Column]) -> None:
    """The option as Docker has it."""
    known = ", ".join(f".{column.field}" for column in columns)
    text = f'Format output: "table", "table TEMPLATE", "json" or a Go template with {known}'
    parser.add_argument("--format", metavar="string", help=text)


def print_rows(
    context: Context,
    columns: t.Sequence[Column],
    rows: t.Iterable[Row],
    *,
    shown: t.Collection[str],
    form: str | None = None,
    quiet: str | None = None,
    narrowest: int = NARROWEST,
) -> None:
    """`columns`: all there are. `shown`: fields of the table that people get without asking. `form`: what
    `--format` says. `quiet`: with `-q`, the field that is printed alone.
    """
    form = (form or "").replace("\\t", "\t").replace("\\n", "\n")
    if context.json:
        context.say_json([_plain(row) for row in rows])
    elif quiet and (not form or form.startswith("table")):
        context.out.write("".join(f"{row[quiet]}\n" for row in rows))
    elif form in ("", "table"):
        chosen = [column for column in columns if column.field in shown]
        cells = [[str(row[column.field]) for column in chosen] for row in rows]
        context.out.write(aligned([[column.header for column in chosen], *cells], narrowest))
    elif form == "json":
        from json import dumps

        context.out.write("".join(f"{dumps(_plain(row), ensure_ascii=False)}\n" for row in rows))
    else:
        context.out.write(_formatted(columns, rows, form, narrowest))


def aligned(lines: t.Sequence[t.Sequence[str]], narrowest: int = NARROWEST) -> str:
    """Lines of cells below each other; the last cell of a line has no width."""
    widths: dict[int, int] = {}
    for line in lines:
        for index, cell in enumerate(line[:-1]):
            widths[index] = max(widths.get(index, narrowest), len(cell) + _SPACE)
    text = ""
    for line in lines:
        cells = [cell.ljust(widths[index]) for index, cell in enumerate(line[:-1])]
        text += "".join([*cells, *line[-1:]]) + "\n"
    return text


def _formatted(columns: t.Sequence[Column], rows: t.Iterable[Row], form: str, narrowest: int) -> str:
    from .template import parse_template

    as_table = form.startswith("table ")
    template = parse_template(form[len("table ") :] if as_table else form)
    lines = [template.render(row, strict=True) for row in rows]
    if not as_table:
        return "".join(f"{line}\n" for line in lines)
    headers: dict[str, t.Any] = {column.field: column.header for column in columns}
    headers["Label"] = lambda name: name
    lines.insert(0, template.render(headers, strict=True))
    return aligned([line.split("\t") for line in lines], narrowest)


def _plain(row: Row) -> dict[str, t.Any]:
    return {name: value for name, value in row.items() if not callable(value)}
