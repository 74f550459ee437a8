# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Permissions as people write them: `0644`, `u=rw,g=r,o=`, `a+X`, `preserve`."""

from __future__ import annotations

import re
import typing as t

from ..errors import InvalidInput

PRESERVE = "preserve"
NEW_FILE, NEW_DIRECTORY = 0o644, 0o755

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXst]*|[-+=][ugo])+)$")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}


class Mode(t.NamedTuple):
    """`bits`, or else `clauses` of a symbolic mode, applied to what is there."""

    bits: int | None
    clauses: tuple[tuple[str, str, str], ...] = ()

    def applied(self, current: int, is_directory: bool = False) -> int:
        """The mode that a file with the mode `current` gets. Source: chmod(1) of POSIX.1-2017."""
        if self.bits is not None:
            return self.bits
        for who, action, what in self.clauses:
            current = _changed(current, who, action, what, is_directory)
        return current


def parse_mode(value: t.Any, option: str) -> Mode:
    """A number is taken as it is; a text of digits is octal. InvalidInput names the option."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Mode(_checked(value, value, option))
    text = str(value).strip()
    if re.fullmatch("(0o)?[0-7]+", text):
        return Mode(_checked(int(text.removeprefix("0o"), 8), value, option))
    clauses: list[tuple[str, str, str]] = []
    for clause in text.split(","):
        match = _CLAUSE.match(clause)
        if match is None:
            raise InvalidInput(
                f"{option}: {text!r} is not a mode", "such as '0644' (in quotes), u=rw,g=r,o=r or preserve"
            )
        clauses += [(match[1] or "a", action, what) for action, what in _ACTION.findall(match[2])]
    return Mode(None, tuple(clauses))


def _checked(bits: int, value: t.Any, option: str) -> int:
    if not 0 <= bits <= 0o7777:
        raise InvalidInput(f"{option}: {value!r} is not a mode", "put it in quotes: '0644'")
    return bits


def _changed(current: int, who: str, action: str, what: str, is_directory: bool) -> int:
    classes = "ugo" if "a" in who else who
    mask, bits = 0, 0
    for name in classes:
        shift = _SHIFTS[name]
        mask |= 7 << shift
        bits |= _permissions(current, what, is_directory) << shift
    special = {"u": 0o4000, "g": 0o2000}
    for name, bit in special.items():
        if name in classes:
            mask |= 0 if is_directory else bit  # directories keep theirs, as with chmod
            bits |= bit if "s" in what else 0
    if "o" in classes:
        mask |= 0o1000
    if "t" in what:
        bits |= 0o1000
    if action == "+":
        return current | bits
    if action == "-":
        return current & ~bits
    return (current & ~mask) | bits


def _permissions(current: int, what: str, is_directory: bool) -> int:
    if what in _SHIFTS:
        return current >> _SHIFTS[what] & 7
    bits = sum(bit for letter, bit in _BITS.items() if letter in what)
    if "X" in what and (is_directory or current & 0o111):
        bits |= 1
    return bits
