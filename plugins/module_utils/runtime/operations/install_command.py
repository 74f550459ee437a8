# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Leave `coracle`, the command, where people find it: a launcher for the engine in force.

    <root>/agent/coracle      for every engine
    /usr/local/bin/coracle    for the one in the default root

A file of that name that somebody else has put there stays. Lock: `agent`, of the caller.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import typing as t

from ..linux.files import write_atomically
from ..paths import DEFAULT_ROOT

if t.TYPE_CHECKING:
    from ..paths import Paths

COMMAND = "/usr/local/bin/coracle"
_OURS = "# coracle.engine"
_LAUNCHER = """\
#!/bin/sh
{ours}: what runs in the containers of this host, on the command line. Made, and made anew, by the engine.
archive={archive}
if [ ! -r "$archive" ]; then
    echo "coracle: $archive cannot be read: containers belong to root (try sudo)" >&2
    exit 1
fi
exec {python} -I -S "$archive" command {roots}"$@"
"""


def has_command(paths: Paths) -> bool:
    """Is it wherever it can be? A few looks."""
    return all(
        os.path.lexists(place) or not os.access(os.path.dirname(place), os.W_OK) for place in _places(paths)
    )


def install_command(paths: Paths, archive: str) -> None:
    """`archive`: path of the engine in force, by the name that does not change."""
    text = _launcher(paths, archive)
    for place in _places(paths):
        if _may_write(place) and _read(place) != text:
            # A file system that is read-only does not stand in the way of containers.
            with contextlib.suppress(OSError):
                write_atomically(place, os.fsencode(text), 0o755)


def _places(paths: Paths) -> list[str]:
    return [os.path.join(paths.agent, "coracle"), *([COMMAND] if paths.root == DEFAULT_ROOT else [])]


def _launcher(paths: Paths, archive: str) -> str:
    roots = "" if paths.root == DEFAULT_ROOT else f"--root {shlex.quote(paths.root)} "
    python = shlex.quote(sys.executable)
    return _LAUNCHER.format(ours=_OURS, archive=shlex.quote(archive), python=python, roots=roots)


def _may_write(place: str) -> bool:
    if not os.path.lexists(place):
        return os.path.isdir(os.path.dirname(place))
    return not os.path.islink(place) and _OURS in (_read(place) or "")


def _read(place: str) -> str | None:
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 12)
    except OSError:
        return None
