# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`${VARIABLES}` in the values of a Compose file.

    $NAME ${NAME}                 its value; if there is none, nothing, with a warning
    ${NAME:-other} ${NAME-other}  `other` if it is empty or not set; if it is not set
    ${NAME:+other} ${NAME+other}  `other` if it is not empty; if it is set
    ${NAME:?text} ${NAME?text}    an error if it is empty or not set; if it is not set
    $$                            a dollar sign

`other` may have variables itself. Keys are not touched.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import collecting

from .place import Place

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":+", ":?", "-", "+", "?")

Variables = t.Mapping[str, str]


class Interpolation:
    """`missing` are the names that had no value; `problems` what cannot be understood."""

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.missing: dict[str, None] = {}
        self.problems: list[BaseException] = []

    def of(self, value: t.Any, path: str = "") -> t.Any:
        """The value with all that is in it."""
        if isinstance(value, dict):
            return {key: self.of(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, f"{path}[{number}]") for number, item in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            with collecting(self.problems):
                return self.text(value, Place(value, path))
        return value

    def text(self, text: str, place: Place) -> str:
        done, start = "", 0
        while (dollar := text.find("$", start)) >= 0:
            done += text[start:dollar]
            piece, start = self._variable(text, dollar + 1, place)
            done += piece
        return done + text[start:]

    def _variable(self, text: str, start: int, place: Place) -> tuple[str, int]:
        """What stands after a dollar sign means, and where the text goes on."""
        if text[start : start + 1] == "$":
            return "$", start + 1
        if text[start : start + 1] != "{":
            name = _NAME.match(text, start)
            if name is None:
                raise place.refusal("has a $ that begins no variable", "write $$ for a dollar sign")
            return self._value(name[0]), name.end()
        end = _closing(text, start, place)
        name = _NAME.match(text, start + 1)
        if name is None:
            raise place.refusal(f"has a variable without a name: {text[start - 1 : end + 1]}")
        return self._braced(name[0], text[name.end() : end], place), end + 1

    def _braced(self, name: str, rest: str, place: Place) -> str:
        if not rest:
            return self._value(name)
        operator = next((known for known in _OPERATORS if rest.startswith(known)), None)
        if operator is None:
            raise place.refusal(
                f"has ${{{name}{rest}}}, which is no variable", "write for example ${NAME:-default}"
            )
        value, other = self.variables.get(name), rest[len(operator) :]
        there = bool(value) if operator[0] == ":" else value is not None
        if operator[-1] == "+":
            return self.text(other, place) if there else ""
        if there:
            return value or ""
        if operator[-1] == "?":
            told = self.text(other, place) or "it has no value"
            raise place.refusal(f"{name} is needed: {told}", "set it in compose_environment")
        return self.text(other, place)

    def _value(self, name: str) -> str:
        if name not in self.variables:
            self.missing[name] = None
        return self.variables.get(name, "")


def _closing(text: str, start: int, place: Place) -> int:
    """Where the brace ends that begins at `start`."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "{" and (index == start or text[index - 1] == "$"):
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    what = "has a ${ without its }"
    raise place.refusal(what, "write $$ for a dollar sign")
