# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What differs between what was asked then and what is asked now, in words and as the two sides of a diff."""

from __future__ import annotations

import typing as t

LIVE = "live"  # changed without a restart
RESTART = "restart"  # changed in place, takes effect with the next start
RECREATE = "recreate"  # needs another one in its place
CREATE = "create"  # there was none
REMOVE = "remove"  # there is none any more


class Difference(t.NamedTuple):
    """`before` and `after` are JSON values fit to be shown (secrets hidden already); None means `not set`.

    `how` is what the change needs: LIVE, RESTART, RECREATE, CREATE or REMOVE.
    """

    field: str
    before: t.Any
    after: t.Any
    reason: str = ""
    how: str = RECREATE

    def describe(self) -> str:
        """`memory is 64m, should be 128m`"""
        return self.reason or f"{self.field} is {shown(self.before)}, should be {shown(self.after)}"

    def to_json(self) -> dict[str, t.Any]:
        return {**self._asdict(), "reason": self.describe()}


def created(sentence: str) -> Difference:
    """Something is made that was not there; `sentence` says what."""
    return Difference("exists", False, True, sentence, CREATE)


def removed(sentence: str) -> Difference:
    return Difference("exists", True, False, sentence, REMOVE)


def describe_all(differences: t.Iterable[Difference]) -> str:
    """The reason of a step that several differences made necessary."""
    return "; ".join(difference.describe() for difference in differences)


def sides(differences: t.Iterable[Difference]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """`before` and `after` of Ansible's diff."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for difference in differences:
        before[difference.field] = difference.before
        after[difference.field] = difference.after
    return before, after


def shown(value: t.Any, limit: int = 200) -> str:
    """A value in a sentence: short, on one line, `not set` for None."""
    if value is None:
        return "not set"
    if isinstance(value, str) and value:
        text = value
    else:
        import json

        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
