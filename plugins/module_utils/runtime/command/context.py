# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a word works with: the engine, the three streams, and how the person wants to be answered."""

from __future__ import annotations

import json
import os
import typing as t

if t.TYPE_CHECKING:
    from ..engine import Engine


class Context(t.NamedTuple):
    """`json`: the answer is one JSON document (`--json`). `colour`: errors go to a terminal that has some."""

    engine: Engine
    out: t.TextIO
    err: t.TextIO
    stdin: t.TextIO
    json: bool = False
    colour: bool = False

    def say(self, text: str) -> None:
        """One line, at once: somebody may be watching."""
        self.out.write(f"{text}\n")
        self.out.flush()

    def say_json(self, document: t.Any) -> None:
        self.say(json.dumps(document, indent=4, ensure_ascii=False))

    def complain(self, text: str) -> None:
        """One error, as Docker's users know it."""
        from .spoken import as_typed

        mark = "\033[1;31mError:\033[0m" if self.colour else "Error:"
        self.err.write(f"{mark} {as_typed(text)}\n")
        self.err.flush()

    def warn(self, text: str) -> None:
        from .spoken import as_typed

        mark = "\033[1;33mWARNING:\033[0m" if self.colour else "WARNING:"
        self.err.write(f"{mark} {as_typed(text)}\n")
        self.err.flush()

    def confirms(self, question: str) -> bool:
        """Does the person say yes? Somebody who cannot answer does not."""
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        return self.stdin.readline().strip().lower() in ("y", "yes")


def has_colour(stream: t.TextIO) -> bool:
    """Source: no-color.org."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    return wanted and stream.isatty()
