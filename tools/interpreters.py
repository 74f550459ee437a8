# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Pythons this machine has: on PATH (also behind the shims of version managers) and in pyenv."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys
import typing as t

Version = tuple[int, int]

OLDEST_TARGET: Version = (3, 9)
CONTROLLER: tuple[Version, Version] = ((3, 11), (3, 13))  # of ansible-core 2.19
NEWEST_CORE: tuple[Version, Version] = ((3, 12), (3, 14))  # of ansible-core 2.21

# Prints the version and the real program if the interpreter works and can make virtual environments.
_PROBE = "import ensurepip, os, sys, venv; print(*sys.version_info[:2], os.path.realpath(sys.executable))"


@functools.cache
def interpreters() -> dict[Version, str]:
    """The first working interpreter of every minor version from 3.9 on, the running one preferred."""
    found: dict[Version, str] = {}
    for candidate in _candidates():
        answer = _probe(candidate)
        if answer is not None and answer[0] >= OLDEST_TARGET:
            found.setdefault(*answer)
    return dict(sorted(found.items()))


def newest_between(versions: tuple[Version, Version]) -> str | None:
    """The running interpreter if it is in the range, else the newest one that is."""
    oldest, newest = versions
    here = interpreters().get(sys.version_info[:2])
    if here is not None and oldest <= sys.version_info[:2] <= newest:
        return here
    fitting = [path for version, path in interpreters().items() if oldest <= version <= newest]
    return fitting[-1] if fitting else None


def _candidates() -> t.Iterator[str]:
    yield getattr(sys, "_base_executable", "") or sys.executable
    for minor in range(OLDEST_TARGET[1], 20):
        for directory in os.get_exec_path():
            yield os.path.join(directory, f"python3.{minor}")
    for root in {os.environ.get("PYENV_ROOT", ""), os.path.expanduser("~/.pyenv")} - {""}:
        yield from map(str, sorted(pathlib.Path(root, "versions").glob("*/bin/python3")))


def _probe(program: str) -> tuple[Version, str] | None:
    if not os.access(program, os.X_OK):
        return None
    try:
        answer = subprocess.run(
            [program, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor, path = answer.stdout.split(maxsplit=2)
    return (int(major), int(minor)), path.strip()
