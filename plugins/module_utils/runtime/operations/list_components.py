# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The programs and libraries that the engine drives, where they are and which version they say they have."""

from __future__ import annotations

import os
import re
import sys
import typing as t

from ..container.host_facts import find_init_program
from ..errors import CoracleError, HostNotReady
from ..linux.programs import find_program, run
from ..network.name_server import PROGRAM as NAME_SERVER
from ..network.name_server import find_server

if t.TYPE_CHECKING:
    from ..engine import Engine

_VERSION = re.compile(rb"\d+(?:\.\d+)+(?:[-+~][\w.]+)?")
_TIMEOUT = 10


class Component(t.NamedTuple):
    """`version` is empty where it does not tell. What is not there has no path."""

    path: str = ""
    version: str = ""


def list_components(engine: Engine) -> dict[str, Component]:
    """By name; a program that is not there is an empty Component."""
    programs = {
        os.path.basename(engine.runtime): _find(engine.runtime),
        os.path.basename(engine.conmon): _find(engine.conmon),
        "nft": _find("nft"),
        NAME_SERVER: find_server() or "",
        "init": _init_program(),
        "zstd": _find("zstd"),
    }
    found = {
        name: Component(path, _version_of(path)) if path else Component() for name, path in programs.items()
    }
    return {**found, "pyroute2": python_module("pyroute2")}


def _find(name: str) -> str:
    try:
        return find_program(name)
    except HostNotReady:
        return ""


def _init_program() -> str:
    try:
        return find_init_program()
    except HostNotReady:
        return ""


def _version_of(path: str) -> str:
    """The first number with a dot in what it prints."""
    try:
        completed = run([path, "--version"], timeout=_TIMEOUT, check=False)
    except (CoracleError, OSError):
        return ""
    found = _VERSION.search(completed.stdout or completed.stderr)
    return found[0].decode("utf-8", "replace") if found else ""


def python_module(name: str) -> Component:
    import importlib.metadata
    import importlib.util

    spec = importlib.util.find_spec(name)
    if spec is None and sys.flags.no_site:  # whoever runs from the host has only the standard library
        import site

        site.main()
        spec = importlib.util.find_spec(name)
    if spec is None:
        return Component()
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    return Component(os.path.dirname(spec.origin or ""), version)
