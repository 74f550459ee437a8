# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Units of an engine, where systemd runs. Other init systems are left to their users.

/etc/systemd/system/<name>                       written when it is first needed, or has changed
/etc/systemd/system/<wanted by>.wants/<name>     enables it: all that `systemctl enable` makes
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..linux.files import fsync_directory, read_bounded, write_atomically
from ..linux.programs import run

UNITS = "/etc/systemd/system"
_RUNNING = "/run/systemd/system"  # sd_booted(3)
_LARGEST = 1 << 16


class Unit(t.NamedTuple):
    """`wanted_by`: the target that starts it at boot; empty for one that something else starts."""

    name: str
    text: str
    wanted_by: str = ""

    @property
    def path(self) -> str:
        return os.path.join(UNITS, self.name)

    @property
    def wants(self) -> str:
        return os.path.join(UNITS, f"{self.wanted_by}.wants")


def systemd_runs() -> bool:
    return os.path.isdir(_RUNNING)


def is_installed(unit: Unit) -> bool:
    try:
        there = read_bounded(unit.path, _LARGEST) == unit.text.encode()
    except FileNotFoundError:
        return False
    return there and (not unit.wanted_by or os.path.lexists(os.path.join(unit.wants, unit.name)))


def install_units(*units: Unit) -> None:
    """And have systemd read them. With the lock `agent` held."""
    for unit in units:
        write_atomically(unit.path, unit.text.encode(), 0o644)
        if unit.wanted_by:
            os.makedirs(unit.wants, mode=0o755, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.symlink(os.path.join("..", unit.name), os.path.join(unit.wants, unit.name))
            fsync_directory(unit.wants)
    run(["systemctl", "daemon-reload"])


def command_line(arguments: t.Iterable[str]) -> str:
    return " ".join(f'"{escaped(word)}"' for word in arguments)


def escaped(text: str) -> str:
    """systemd.syntax(7): percent is a specifier, the rest is meant inside double quotes."""
    return text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')


def as_path(path: str) -> str:
    """One word of a list of paths."""
    return escaped(path).replace(" ", "\\x20")
