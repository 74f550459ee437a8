# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-test sanity` on a copy of the checkout, at the place and with the Pythons that it insists on.

ansible-test wants the collection under `ansible_collections/<namespace>/<name>` in a git tree; it looks for
every supported Python on PATH and fails on a version manager's shims for versions that are not there; it
keeps its caches in the home directory; and it downloads the installer of pip. The copy, a PATH of our own, a
home of our own and a stand-in that takes pip from the standard library answer these in turn. So it needs
nothing from the internet but the package index, and leaves nothing outside .cache/.

.cache/sanity/home/              caches of ansible-test: kept
.cache/sanity/<part>/bin/python3.X      the interpreters: two parts may run at the same time
.cache/sanity/<part>/ansible_collections/coracle/engine/    the copy: made anew for every run
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

from environments import CACHE, ROOT
from interpreters import interpreters

_HOME = CACHE / "sanity" / "home"
_GET_PIP = "import ensurepip\n\nensurepip.bootstrap(default_pip=True)\n"


def copy_collection(part: str) -> pathlib.Path:
    """What git tracks or would track, without the link that makes the checkout its own collection path."""
    copy = CACHE / "sanity" / part / "ansible_collections" / "coracle" / "engine"
    shutil.rmtree(copy, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = ROOT / name
        if name.startswith(".collections/") or not os.path.lexists(source):
            continue
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy / name, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(copy)], check=True)
    return copy


def surroundings(part: str, programs: pathlib.Path) -> dict[str, str]:
    """The environment variables for ansible-test, whose program lies in the directory `programs`."""
    _bring_pip(programs)
    variables = {
        "HOME": str(_HOME),
        "PATH": os.pathsep.join(
            [_collect_interpreters(part), str(programs), "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        ),
        "PIP_QUIET": "1",
        "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", os.path.expanduser("~/.config")),
    }
    return {**os.environ, **variables}


def _collect_interpreters(part: str) -> str:
    directory = CACHE / "sanity" / part / "bin"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for (major, minor), path in interpreters().items():
        (directory / f"python{major}.{minor}").symlink_to(path)
    return str(directory)


def _bring_pip(programs: pathlib.Path) -> None:
    """Put the stand-in where ansible-test caches the installer, under the version of pip that it wants."""
    for source in programs.parent.glob(
        "lib/python*/site-packages/ansible_test/_internal/python_requirements.py"
    ):
        for version in re.findall(r"pip='([0-9.]+)'", source.read_text()):
            target = _HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_GET_PIP)
