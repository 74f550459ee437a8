# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The functions of templates: Go's own and those that Docker's command adds; and how Go writes a value."""

from __future__ import annotations

import json
import re
import typing as t


class _NoValue:
    """What a field is that is not there: Go writes `<no value>`, and it is false."""

    def __bool__(self) -> bool:
        return False


NO_VALUE = _NoValue()


def go_text(value: t.Any) -> str:
    """Source: the verb %v of pkg.go.dev/fmt."""
    if value is NO_VALUE:
        return "<no value>"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{go_text(key)}:{go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(map(go_text, value)) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def is_true(value: t.Any) -> bool:
    """Go: false, 0, nil and everything empty is not."""
    return bool(value)


def _json(value: t.Any) -> str:
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if not callable(part)}
    return json.dumps(None if value is NO_VALUE else value, separators=(",", ":"), ensure_ascii=False)


def _index(value: t.Any, *keys: t.Any) -> t.Any:
    for key in keys:
        if value is None or value is NO_VALUE:
            return NO_VALUE
        if isinstance(value, dict):
            value = value.get(key, NO_VALUE)
        elif not 0 <= key < len(value):
            raise LookupError(f"index out of range: {key}")
        else:
            value = value[key]
    return value


def _equal(first: t.Any, *others: t.Any) -> bool:
    return any(first == other for other in others)


def _and(*values: t.Any) -> t.Any:
    return next((value for value in values if not is_true(value)), values[-1])


def _or(*values: t.Any) -> t.Any:
    return next((value for value in values if is_true(value)), values[-1])


def _printf(form: str, *values: t.Any) -> str:
    """The verbs that people use: %s %v %d %q %t %f %x with width and precision."""
    rest = list(values)

    def verb(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if not rest:
            return f"%!{match[2]}(MISSING)"
        value, flags, letter = rest.pop(0), match[1], match[2]
        if letter == "q":
            value, letter = json.dumps(str(value), ensure_ascii=False), "s"
        elif letter in "svt":
            value, letter = go_text(value), "s"
        return str(f"%{flags}{letter}" % (value,))

    return re.sub(r"%([-+ 0#]*\d*(?:\.\d+)?)([svdqtfxX%])", verb, form)


def _truncate(text: t.Any, length: int) -> str:
    return str(text)[:length]


def _pad(text: str, before: int, after: int) -> str:
    return " " * before + text + " " * after if text else text


def _slice(value: t.Any, *bounds: int) -> t.Any:
    return value[slice(*(bounds if len(bounds) > 1 else (bounds[0], None)))] if bounds else value


FUNCTIONS: dict[str, t.Callable[..., t.Any]] = {
    "and": _and,
    "eq": _equal,
    "ge": lambda first, second: first >= second,
    "gt": lambda first, second: first > second,
    "index": _index,
    "join": lambda items, separator: separator.join(map(go_text, items or ())),
    "json": _json,
    "le": lambda first, second: first <= second,
    "len": lambda value: len(value) if value else 0,
    "lower": lambda text: str(text).lower(),
    "lt": lambda first, second: first < second,
    "ne": lambda first, second: first != second,
    "not": lambda value: not is_true(value),
    "or": _or,
    "pad": _pad,
    "print": lambda *values: "".join(map(go_text, values)),
    "printf": _printf,
    "println": lambda *values: " ".join(map(go_text, values)) + "\n",
    "slice": _slice,
    "split": lambda text, separator: str(text).split(separator),
    "title": lambda text: str(text).title(),
    "truncate": _truncate,
    "upper": lambda text: str(text).upper(),
}
