# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Help, made of what a parser declares, in Docker's layout."""

from __future__ import annotations

import argparse
import typing as t

from .words import COMMON, GROUPS, WORDS, find_word, words_of

if t.TYPE_CHECKING:
    from .parser import Parser

_WIDTH = 100
_OPTIONS_OF_THE_COMMAND = """\
Global Options:
      --json              Answer with one JSON document
      --root string       State directory of the engine (default "/var/lib/coracle", or $CORACLE_ROOT)
      --run-root string   Its directory for what a reboot takes away (default: the one that belongs to the
                          root, or $CORACLE_RUN_ROOT)
  -v, --version           Print version information and quit
"""


def usage_line(parser: Parser) -> str:
    parts = [_operand(action) for action in parser.operands]
    return " ".join([f"Usage:  {parser.prog} [OPTIONS]", *parts])


def help_of_word(parser: Parser) -> str:
    word = find_word(parser.word)
    spellings = word.spellings if word else ()
    paragraphs = [usage_line(parser), parser.description or (word.help if word else "")]
    if len(spellings) > 1:
        paragraphs.append("Aliases:\n  " + ", ".join(f"coracle {name}" for name in spellings))
    paragraphs.append("Options:\n" + _columns([(_option(each), _text(each)) for each in _shown(parser)]))
    if parser.epilog:
        lines = parser.epilog.strip().splitlines()
        paragraphs.append("Examples:\n" + "\n".join(f"  {line.strip()}" for line in lines))
    return "\n\n".join(text.rstrip() for text in paragraphs if text) + "\n"


def help_of_group(group: str) -> str:
    rows = [(f"  {name}", word.help) for name, word in words_of(group).items()]
    return (
        f"Usage:  coracle {group} COMMAND\n\n{GROUPS[group]}\n\nCommands:\n{_columns(rows)}\n\n"
        f"Run 'coracle {group} COMMAND --help' for more information on a command.\n"
    )


def help_of_command() -> str:
    plain = {word.name: word for word in WORDS if " " not in word.name and word.help}
    common = [(f"  {name}", plain[name].help) for name in COMMON if name in plain]
    others = [(f"  {name}", plain[name].help) for name in sorted(plain) if name not in COMMON]
    groups = [(f"  {name}", text) for name, text in GROUPS.items() if words_of(name)]
    return (
        "Usage:  coracle [OPTIONS] COMMAND\n\n"
        "Look at the containers of this host and do something about them, as with the docker command\n\n"
        f"Common Commands:\n{_columns(common)}\n\n"
        f"Management Commands:\n{_columns(groups)}\n\n"
        f"Commands:\n{_columns(others)}\n\n"
        f"{_OPTIONS_OF_THE_COMMAND}\n"
        "Run 'coracle COMMAND --help' for more information on a command.\n"
    )


def _shown(parser: Parser) -> list[argparse.Action]:
    return sorted(parser.shown, key=lambda action: (action.dest == "help", action.option_strings[-1]))


def _operand(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest.upper())
    if action.nargs == argparse.REMAINDER:
        return name
    shapes: dict[t.Any, str] = {"?": f"[{name}]", "*": f"[{name}...]", "+": f"{name} [{name}...]"}
    return shapes.get(action.nargs, name)


def _option(action: argparse.Action) -> str:
    short = [name for name in action.option_strings if not name.startswith("--")]
    long = [name for name in action.option_strings if name.startswith("--")]
    names = ", ".join([*short, *long]) if short else f"    {', '.join(long)}"
    value = "" if action.nargs == 0 else f" {action.metavar or _kind(action)}"
    return f"  {names}{value}"


def _kind(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    if isinstance(action, argparse._AppendAction):
        return "list"
    return getattr(action.type, "__name__", "string") if action.type else "string"


def _text(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    default = action.default
    if default in (None, False, argparse.SUPPRESS) or default == [] or "default" in text:
        return text
    return f"{text} (default {default!r})".replace("'", '"')


def _columns(rows: t.Sequence[tuple[str, str]]) -> str:
    import textwrap

    widest = max((len(name) for name, _text_ in rows), default=0)
    lines = []
    for name, text in rows:
        parts = textwrap.wrap(text, max(30, _WIDTH - widest - 3)) or [""]
        lines.append(f"{name.ljust(widest)}   {parts[0]}".rstrip())
        lines += [" " * (widest + 3) + part for part in parts[1:]]
    return "\n".join(lines)
