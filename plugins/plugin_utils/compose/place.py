# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value of a Compose file that knows where it stands: `services.web.ports[0]`."""

from __future__ import annotations

import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

_KINDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    dict: "a mapping",
    list: "a list",
}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Place:
    def __init__(self, value: t.Any, path: str) -> None:
        self.value = value
        self.path = path

    def __bool__(self) -> bool:
        """Does it say anything?"""
        return self.value is not None

    def refusal(self, problem: str, hint: str = "") -> InvalidInput:
        """The error about what stands here, ready to raise."""
        return InvalidInput(f"{self.path}: {problem}", hint)

    def below(self, key: str) -> Place:
        """What a mapping has under a key; if it has none, a place that says nothing."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Place(value, f"{self.path}.{key}" if self.path else str(key))

    def keys(self) -> list[str]:
        """Of a mapping, without extensions (`x-…`)."""
        if self.value is None:
            return []
        if not isinstance(self.value, dict):
            raise self.refusal(f"is {_kind(self.value)}, not a mapping")
        return [str(key) for key in self.value if not str(key).startswith("x-")]

    def entries(self) -> dict[str, Place]:
        return {key: self.below(key) for key in self.keys()}

    def known(self, *names: str) -> dict[str, Place]:
        """The entries, of which all have to be known and some have to be said."""
        entries = self.entries()
        for name, place in entries.items():
            if name not in names:
                raise place.refusal("has no counterpart here", "take it out")
        return {name: place for name, place in entries.items() if place}

    def items(self) -> list[Place]:
        """Of a list; of one text, as Compose allows it in many places, that one."""
        if self.value is None:
            return []
        if isinstance(self.value, dict):
            raise self.refusal("is a mapping, not a list")
        values = self.value if isinstance(self.value, list) else [self.value]
        return [Place(value, f"{self.path}[{number}]") for number, value in enumerate(values)]

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    def text(self) -> str:
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if not isinstance(self.value, (str, int, float)):
            raise self.refusal(f"is {_kind(self.value)}, not text")
        return str(self.value)

    def texts(self) -> list[str]:
        return [item.text() for item in self.items()]

    def boolean(self) -> bool:
        word = self.text().strip().lower()
        if word not in (*_TRUE, *_FALSE):
            raise self.refusal(f"{word!r} is neither true nor false")
        return word in _TRUE

    def number(self) -> int:
        try:
            return int(self.text())
        except ValueError:
            raise self.refusal(f"{self.value!r} is not a whole number") from None

    def pairs(self, separator: str = "=") -> dict[str, Place]:
        """A mapping, or a list of `name=value`; a name alone says nothing."""
        if not isinstance(self.value, list):
            return {str(key): Place(value, f"{self.path}.{key}") for key, value in self._mapping().items()}
        found = {}
        for item in self.items():
            name, equals, value = item.text().partition(separator)
            found[name] = Place(value if equals else None, item.path)
        return found

    def _mapping(self) -> dict[t.Any, t.Any]:
        if self.value is not None and not isinstance(self.value, dict):
            raise self.refusal(f"is {_kind(self.value)}, neither a mapping nor a list")
        return self.value or {}


def _kind(value: t.Any) -> str:
    return "empty" if value is None else _KINDS.get(type(value), "something else")
