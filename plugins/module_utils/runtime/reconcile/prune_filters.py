# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The filters of pruning, as Docker has them: which of the things that nobody needs may go."""

from __future__ import annotations

import fnmatch
import typing as t

from ..container.moments import comparable, parse_moment
from ..container.values import refuse
from ..errors import InvalidInput

KEYS = {
    "containers": ("label", "label!", "until"),
    "images": ("dangling", "label", "label!", "until"),
    "networks": ("label", "label!", "until"),
    "volumes": ("all", "label", "label!", "until"),
    "logs": ("label", "label!", "until"),
}
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class Filters(t.NamedTuple):
    """`labels`: all of them, as `key` or `key=value`; `not_labels`: none of them. `until`: made before that.

    `dangling` is about images: only those without a name. `all` is about volumes: those with a name, too.
    """

    labels: tuple[str, ...] = ()
    not_labels: tuple[str, ...] = ()
    until: str = ""
    dangling: bool | None = None
    all: bool = False

    def admit(self, labels: t.Mapping[str, str], created: str) -> bool:
        """What does not tell when it was made is never old enough."""
        if self.until and not "" < comparable(created) < self.until:
            return False
        return all(_has(labels, one) for one in self.labels) and not any(
            _has(labels, one) for one in self.not_labels
        )


def parse_filters(kind: str, given: t.Mapping[str, t.Any] | None, option: str) -> Filters:
    """`kind` is a key of KEYS. A value is a text, or a list of them. InvalidInput names the option."""
    for key in given or {}:
        if key not in KEYS[kind]:
            known = ", ".join(KEYS[kind])
            raise InvalidInput(f"{option}: there is no filter {key!r}", f"known are {known}", option=option)
    values = {key: _texts(value, f"{option}: {key}") for key, value in (given or {}).items()}
    untils = [parse_moment(value, f"{option}: until") for value in values.get("until", ())]
    dangling = [_boolean(value, f"{option}: dangling") for value in values.get("dangling", ())]
    everything = [_boolean(value, f"{option}: all") for value in values.get("all", ())]
    return Filters(
        labels=tuple(values.get("label", ())),
        not_labels=tuple(values.get("label!", ())),
        until=min(untils, default=""),
        dangling=all(dangling) if dangling else None,
        all=any(everything),
    )


def matches(patterns: t.Iterable[str], names: t.Iterable[str]) -> bool:
    """Does one of the shell patterns (`*`, `?`, `[…]`) fit one of the names, as a whole?"""
    names = list(names)
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _has(labels: t.Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _texts(value: t.Any, option: str) -> list[str]:
    texts = []
    for item in value if isinstance(value, (list, tuple)) else [value]:
        if item is None or isinstance(item, (dict, list)):
            raise refuse(value, option, "is not a text, or a list of texts")
        texts.append(str(item).lower() if isinstance(item, bool) else str(item))
    return texts


def _boolean(text: str, option: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise refuse(text, option, "is neither true nor false")
    return text.lower() in _TRUE
