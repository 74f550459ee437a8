# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Options as Docker's command reads them.

    -dit                several flags of one letter at once
    -p8080:80 -p 8080:80 -p=8080:80 --publish 8080:80 --publish=8080:80
    --rm --rm=true --rm=false
    rm web -f           options may come after names, except where a command follows (`run`, `exec`, `top`):
                        there they end at the first name, so that `run alpine ls -l` gives `-l` to ls

A word declares its options with the means of argparse; a positional with `nargs=argparse.REMAINDER` is the
command that follows. The line is brought into an order that argparse cannot misread before it sees it.
"""

from __future__ import annotations

import argparse
import typing as t

USAGE_CODE = 125
"""Docker's exit code for options that cannot be understood."""

_TRUE, _FALSE = ("1", "t", "true", "yes"), ("0", "f", "false", "no")
_EVER = float("inf")


class UsageError(Exception):
    """The line cannot be understood. `parser` knows how it should look."""

    def __init__(self, message: str, parser: Parser | None = None, code: int = USAGE_CODE) -> None:
        super().__init__(message)
        self.parser = parser
        self.code = code

    @property
    def text(self) -> str:
        """As Docker's command says it: about options without the name of the program."""
        return str(self) if self.code == USAGE_CODE else f"coracle: {self}"


class Parser(argparse.ArgumentParser):
    """The options of one word. `description`: what it does; `epilog`: examples, one a line."""

    def __init__(self, word: str) -> None:
        super().__init__(prog=f"coracle {word}", add_help=False, allow_abbrev=False)
        self.word = word

    @property
    def options(self) -> list[argparse.Action]:
        return [action for action in self._actions if action.option_strings]

    @property
    def shown(self) -> list[argparse.Action]:
        """Those that people are told of."""
        return [action for action in self.options if action.help != argparse.SUPPRESS]

    @property
    def operands(self) -> list[argparse.Action]:
        return [action for action in self._actions if not action.option_strings]

    @property
    def takes_command(self) -> bool:
        return any(action.nargs == argparse.REMAINDER for action in self.operands)

    def add_common(self) -> None:
        """What every word has."""
        for names, text in ((("--json",), "Answer with one JSON document"), (("--help",), "Show this help")):
            if not any(name in self._option_string_actions for name in names):
                self.add_argument(*names, action="store_true", help=text)

    def parse(self, arguments: t.Sequence[str]) -> argparse.Namespace:
        """UsageError with a sentence. With `--help` nothing else counts."""
        options, operands = self._sorted(arguments)
        if "--help" in options:
            return argparse.Namespace(help=True)
        self._check_count(len(operands))
        return self.parse_args([*options, *(["--", *operands] if operands else [])])

    def error(self, message: str) -> t.NoReturn:
        raise UsageError(message, self)

    def _sorted(self, arguments: t.Sequence[str]) -> tuple[list[str], list[str]]:
        """Options, each one word in its long form, and everything else."""
        options: list[str] = []
        operands: list[str] = []
        rest = list(arguments)
        while rest:
            text = rest.pop(0)
            if text == "--":
                return options, operands + rest
            if text.startswith("--"):
                options += self._long(text, rest)
            elif text.startswith("-") and text != "-":
                options += self._short(text, rest)
            else:
                operands.append(text)
                if self.takes_command:
                    return options, operands + rest
        return options, operands

    def _long(self, text: str, rest: list[str]) -> list[str]:
        name, equals, value = text.partition("=")
        action = self._option_string_actions.get(name)
        if action is None:
            self.error(f"unknown flag: {name}{self._meant(name)}")
        if action.nargs != 0:
            return [f"{name}={value if equals else self._value(name, rest)}"]
        return [name] if not equals or self._truth(name, value) else self._opposite(name)

    def _short(self, text: str, rest: list[str]) -> list[str]:
        options: list[str] = []
        letters = text[1:]
        while letters:
            name, letters = f"-{letters[0]}", letters[1:]
            action = self._option_string_actions.get(name)
            if action is None:
                self.error(f"unknown shorthand flag: {name[1]!r} in {text}")
            long = action.option_strings[-1]
            if action.nargs != 0:
                value = letters[1:] if letters[:1] == "=" else letters or self._value(name, rest)
                return [*options, f"{long}={value}"]
            if letters[:1] == "=":
                return [*options, *([long] if self._truth(name, letters[1:]) else self._opposite(long))]
            options.append(long)
        return options

    def _meant(self, name: str) -> str:
        """The option that somebody has misspelt."""
        import difflib

        known = [option for action in self.shown for option in action.option_strings]
        near = difflib.get_close_matches(name, known, 1)
        return f"\nDid you mean '{near[0]}'?" if near else ""

    def _get_value(self, action: argparse.Action, arg_string: str) -> t.Any:
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            kind = getattr(action.type, "__name__", "value")
            raise UsageError(f"{_invalid(action, arg_string)}: it is no {kind}", self) from None

    def _check_value(self, action: argparse.Action, value: t.Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = ", ".join(map(str, action.choices))
            raise UsageError(f"{_invalid(action, value)}: choose one of {choices}", self)

    def _value(self, name: str, rest: list[str]) -> str:
        if not rest:
            self.error(f"flag needs an argument: {name}")
        return rest.pop(0)

    def _opposite(self, name: str) -> list[str]:
        """For `--sig-proxy=false`: a flag that is set unless somebody says no has an option for that, too."""
        opposite = f"--no-{name[2:]}"
        return [opposite] if opposite in self._option_string_actions else []

    def _truth(self, name: str, value: str) -> bool:
        if value.lower() not in (*_TRUE, *_FALSE):
            self.error(f'invalid argument "{value}" for "{name}": say true or false')
        return value.lower() in _TRUE

    def _check_count(self, count: int) -> None:
        ranges = [_RANGES.get(t.cast(t.Any, action.nargs), (1, 1)) for action in self.operands]
        least, most = (sum(bound[side] for bound in ranges) for side in (0, 1))
        if least <= count <= most:
            return
        if most == 0:
            need = "accepts no arguments"
        elif least == most:
            need = f"requires {_arguments(least)}"
        elif most == _EVER:
            need = f"requires at least {_arguments(least)}"
        else:
            need = f"requires at least {least:g} and at most {_arguments(most)}"
        raise UsageError(f"'{self.prog}' {need}", self, code=1)


def _invalid(action: argparse.Action, value: t.Any) -> str:
    name = ", ".join(action.option_strings) or str(action.metavar)
    return f'invalid argument "{value}" for "{name}"'


_RANGES: dict[t.Any, tuple[float, float]] = {
    "?": (0, 1),
    "*": (0, _EVER),
    "+": (1, _EVER),
    argparse.REMAINDER: (0, _EVER),
}


def _arguments(number: float) -> str:
    return f"{number:g} argument" if number == 1 else f"{number:g} arguments"
