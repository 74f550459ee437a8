# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle complete -- WORD…`: candidates for the last of the words, one a line; `:files` where a file is
wanted. Asked by the scripts of `coracle completion`.
"""

from __future__ import annotations

import argparse
import typing as t

from ..errors import CoracleError
from .words import GROUPS, WORDS, Word, words_of

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .context import Context
    from .parser import Parser

_FILES = ":files"
_GLOBAL = ("--root", "--run-root", "--json", "--help", "--version")


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORD")


def run(context: Context, options: argparse.Namespace) -> int:
    *before, beginning = options.words or [""]
    for candidate in sorted(set(candidates(context.engine, before))):
        if candidate == _FILES or candidate.startswith(beginning):
            context.out.write(f"{candidate}\n")
    return 0


def candidates(engine: Engine, before: t.Sequence[str]) -> list[str]:
    """Everything that can come after these words."""
    from .main import parser_of, read_line, split_word

    words = read_line(before).words
    word, rest = split_word(words)
    if word is None:
        return _words_after(words)
    parser = parser_of(word)[0]
    waiting = _waiting_option(parser, rest)
    if waiting is not None:
        return _values(engine, waiting)
    options = [action.option_strings[-1] for action in parser.options]
    given = [text for text in rest if not text.startswith("-")]
    if parser.takes_command and len(given) >= len(parser.operands) - 1 > 0:
        return [_FILES]
    operands = parser.operands
    index = min(len(given), len(operands) - 1)
    return options + (_values(engine, operands[index]) if operands else [])


def _words_after(words: t.Sequence[str]) -> list[str]:
    if words and words[0] in GROUPS:
        return list(words_of(words[0]))
    if words and words[0] != "help":
        return []
    plain = [word.name for word in WORDS if _is_shown(word)]
    return [*plain, *(group for group in GROUPS if words_of(group)), *([] if words else _GLOBAL)]


def _is_shown(word: Word) -> bool:
    return " " not in word.name and bool(word.help)


def _waiting_option(parser: Parser, rest: t.Sequence[str]) -> argparse.Action | None:
    """The option that the last word is, if it wants a value."""
    last = rest[-1] if rest else ""
    if not last.startswith("-") or "=" in last:
        return None
    name = last if last.startswith("--") else f"-{last[-1]}"
    found = [action for action in parser.options if name in action.option_strings and action.nargs != 0]
    return found[0] if found else None


def _values(engine: Engine, action: argparse.Action) -> list[str]:
    if action.choices:
        return [str(choice) for choice in action.choices]
    kind = str(action.metavar or action.dest).upper()
    try:
        if "CONTAINER" in kind:
            return _names(engine, "SELECT name FROM containers WHERE name NOT LIKE '.%'")
        if "IMAGE" in kind:
            return _images(engine)
        if "NETWORK" in kind:
            return _names(engine, "SELECT name FROM networks")
        if "VOLUME" in kind:
            return _names(engine, "SELECT name FROM volumes")
    except CoracleError:
        return []
    return [_FILES] if any(word in kind for word in ("FILE", "PATH", "SRC", "DEST")) else []


def _names(engine: Engine, query: str) -> list[str]:
    return [str(row[0]) for row in engine.records.read().all(query)]


def _images(engine: Engine) -> list[str]:
    from ..oci.reference import familiar_name

    return [familiar_name(name) for name in _names(engine, "SELECT name FROM image_names")]
