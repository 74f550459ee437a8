# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The table of words. Adding one is a line here and a file of its name."""

from __future__ import annotations

import typing as t


class Word(t.NamedTuple):
    """`help` is one line. `aliases` are whole words too: `container ls`. `module` is the file, if it is not
    called like the word. `failure`: exit code where the word could not do its work.
    """

    name: str
    help: str
    aliases: tuple[str, ...] = ()
    module: str = ""
    failure: int = 1

    @property
    def file(self) -> str:
        return self.module or self.name.replace(" ", "_").replace("-", "_")

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


COMMON = ("run", "exec", "ps", "pull", "images", "logs", "info", "version")
"""What people look for first."""

GROUPS = {
    "container": "Manage containers",
    "image": "Manage images",
    "network": "Manage networks",
    "volume": "Manage volumes",
    "system": "Manage the engine: disk usage, cleaning up",
}

WORDS = (
    Word("ps", "List containers", ("container ls", "container list", "container ps")),
    Word("complete", ""),
    Word("completion", "Print the completion script for a shell"),
)


def find_word(spelling: str) -> Word | None:
    return next((word for word in WORDS if spelling in word.spellings), None)


def words_of(group: str) -> dict[str, Word]:
    """By what is typed after the name of the group."""
    found: dict[str, Word] = {}
    for word in WORDS:
        for spelling in word.spellings:
            head, _space, tail = spelling.partition(" ")
            if head == group and tail and word not in found.values():
                found[tail] = word
    return dict(sorted(found.items()))
