# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments from the pinned lists in requirements/, made once and again when a list changes.

.cache/venv/<name>/            the environment
.cache/venv/<name>/.complete   what it was made from; written last, so that half an environment is made anew
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import threading

import packages
from interpreters import CONTROLLER, NEWEST_CORE, Version, interpreters, newest_between

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
REQUIREMENTS = ROOT / "requirements"

_making = threading.Lock()


class NoInterpreter(Exception):
    pass


def controller_environment(name: str) -> pathlib.Path:
    """Programs (`bin`) of the environment from requirements/<name>.txt, on a Python that it supports."""
    supported = NEWEST_CORE if name == "newest" else CONTROLLER
    python = newest_between(supported) or _with_venv(supported)
    if python is None:
        raise NoInterpreter("no Python from {}.{} to {}.{} found".format(*supported[0], *supported[1]))
    return _environment(name, python, [["-r", f"{name}.txt"]])


def target_environment(version: str, python: str) -> pathlib.Path:
    """The same for a managed host's Python, perhaps too old for a controller: only what modules import."""
    core = ["--no-deps", "--ignore-requires-python", "-r", "core.txt"]
    return _environment(f"target-{version}", python, [["-r", "unit.txt"], core])


def _with_venv(supported: tuple[Version, Version]) -> str | None:
    """On Debian, Python makes environments only with a package of its own."""
    if packages.install(["python3-venv"]):
        return None
    interpreters.cache_clear()
    return newest_between(supported)


def _environment(name: str, python: str, installs: list[list[str]]) -> pathlib.Path:
    directory = CACHE / "venv" / name
    complete = directory / ".complete"
    recipe = "\n".join(
        [python, repr(installs), *(path.read_text() for path in sorted(REQUIREMENTS.iterdir()))]
    )
    with _making:
        if not complete.exists() or complete.read_text() != recipe:
            shutil.rmtree(directory, ignore_errors=True)
            _run([python, "-m", "venv", str(directory)])
            for install in installs:
                pip = [str(directory / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
                _run([*pip, "install", "--quiet", *install])
            complete.write_text(recipe)
    return directory / "bin"


def _run(argv: list[str]) -> None:
    done = subprocess.run(
        argv, cwd=REQUIREMENTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}\n{done.stdout}")
