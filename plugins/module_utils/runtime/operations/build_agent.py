# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""This engine as one file, which Python can run and import from: `coracle.pyz`.

    __main__.py                      the agent's command line; with `command` before it, that of a person
    coracle/module_utils/runtime/    the engine
    coracle/module_utils/module/     its Ansible face } only if made of a whole collection:
    coracle/modules/                 the modules      } what tasks run from (module/installed_engine.py)

Only sources, not compressed, without times: equal sources make equal bytes everywhere, so that their digest
is a name for the engine. What a Python has compiled of them lies beside, in a zip file of its own, and is
found first.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import os
import sys
import typing as t
import zipfile

PACKAGE = "coracle"
RUNTIME = f"{PACKAGE}/module_utils/runtime"
_AGENT = f"{RUNTIME}/agent/main.py"
COMMAND = f"{RUNTIME}/command/main.py"
_MAIN = f"""\
import os
import sys

# The link that led here may be switched while we sleep: what is imported later comes from the same file.
archive = os.path.realpath(sys.path[0])
compiled = os.path.join(os.path.dirname(archive), f"{{sys.implementation.cache_tag}}.zip")
sys.path[:1] = [compiled, archive]

if sys.argv[1:2] == ["command"]:
    del sys.argv[1]
    from {COMMAND[:-3].replace("/", ".")} import main
else:
    from {_AGENT[:-3].replace("/", ".")} import main

main(sys.argv[1:])
"""
_UNCHECKED_HASH = (1).to_bytes(4, "little")  # PEP 552: belongs to its source, which need not be looked at

Sources = dict[str, bytes]
"""Content by path in the archive."""


def pack(sources: Sources) -> bytes:
    """The archive; its SHA-256 is the version."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for path, source in sorted({"__main__.py": _MAIN.encode(), **sources}.items()):
            archive.writestr(zipfile.ZipInfo(path), source)
    return content.getvalue()


def compiled(archive: bytes) -> bytes:
    """What this Python makes of the sources in an archive, as a zip file to be put before it on the path."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as sources, zipfile.ZipFile(content, "w") as target:
        for path in sources.namelist():
            if path != "__main__.py":
                target.writestr(zipfile.ZipInfo(f"{path}c"), _compiled(path, sources.read(path)))
    return content.getvalue()


def sources_of_collection(plugins: str) -> Sources:
    """Everything that a task can need, from the `plugins` directory of a checkout or an installed
    collection.
    """
    sources = {}
    for part in ("module_utils", "modules"):
        root = os.path.join(plugins, part)
        for name in _names_in_directory(root):
            sources[f"{PACKAGE}/{part}/{name}"] = _read(os.path.join(root, name))
    return _with_packages(sources)


def sources_of_agent() -> Sources:
    """What stays on the host, from where this code was imported.

    Of a checkout, the whole runtime. Of the payload of a task, what the agent needs, found as Ansible finds
    what belongs to a module: by following relative imports, those inside functions too.
    """
    place = _find()
    found = {f"{RUNTIME}/{name}": source for name, source in _read_all(place).items()}
    if not place.is_zip:
        return _with_packages(found)
    needed: Sources = {}
    pending = [_AGENT]
    while pending:
        path = pending.pop()
        if path in found and path not in needed:
            needed[path] = found[path]
            pending += _imported(path, found[path])
    return _with_packages({**{path: found[path] for path in _packages(needed) if path in found}, **needed})


@functools.cache
def fingerprint() -> str:
    """A name for the sources that this code was imported from. Cheap: nothing is read."""
    sources = _find()
    marks = _marks_in_zip(sources) if sources.is_zip else _marks_in_directory(sources.root)
    return hashlib.sha256("\n".join(sorted(marks)).encode()).hexdigest()


class _Place(t.NamedTuple):
    """Where the package `runtime` lies: `root` is its directory, or a zip file with the package at
    `prefix`.
    """

    root: str
    prefix: str

    @property
    def is_zip(self) -> bool:
        return os.path.isfile(self.root)


def _find() -> _Place:
    directory = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    root = directory
    while not os.path.exists(root):
        root = os.path.dirname(root)
    return _Place(root, directory[len(root) :].strip("/"))


def _marks_in_directory(root: str) -> t.Iterator[str]:
    for name in _names_in_directory(root):
        found = os.stat(os.path.join(root, name))
        yield f"{name} {found.st_size} {found.st_mtime_ns}"


def _marks_in_zip(place: _Place) -> t.Iterator[str]:
    with zipfile.ZipFile(place.root) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(f"{place.prefix}/") and entry.filename.endswith(".py"):
                yield f"{entry.filename[len(place.prefix) + 1 :]} {entry.file_size} {entry.CRC}"


def _read_all(place: _Place) -> Sources:
    """Every module of the package by its path below `runtime/`."""
    if not place.is_zip:
        return {name: _read(os.path.join(place.root, name)) for name in _names_in_directory(place.root)}
    start = len(place.prefix) + 1
    with zipfile.ZipFile(place.root) as archive:
        names = [name for name in archive.namelist() if name.startswith(f"{place.prefix}/")]
        return {name[start:]: archive.read(name) for name in names if name.endswith(".py")}


def _names_in_directory(root: str) -> t.Iterator[str]:
    for directory, _directories, files in os.walk(root):
        for file in files:
            if file.endswith(".py"):
                yield os.path.relpath(os.path.join(directory, file), root)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _imported(path: str, source: bytes) -> t.Iterator[str]:
    """Files that the relative imports of a module may mean; `from .x import y`: y may be a module or a name
    in x.
    """
    here = path.split("/")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level] + (node.module.split(".") if node.module else [])
            for target in ["/".join(base), *("/".join([*base, alias.name]) for alias in node.names)]:
                yield f"{target}.py"
                yield f"{target}/__init__.py"


def _with_packages(sources: Sources) -> Sources:
    return {**dict.fromkeys(_packages(sources), b""), **sources}


def _packages(paths: t.Iterable[str]) -> set[str]:
    """The `__init__.py` of every directory above the paths."""
    packages = set()
    for path in paths:
        directory = os.path.dirname(path)
        while directory:
            packages.add(f"{directory}/__init__.py")
            directory = os.path.dirname(directory)
    return packages


def _compiled(path: str, source: bytes) -> bytes:
    """Without docstrings: nobody asks for them here."""
    import importlib.util
    import marshal

    code = compile(source, f"{PACKAGE}.pyz/{path}", "exec", dont_inherit=True, optimize=2)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def compiled_name() -> str:
    """The file beside an archive for what this Python has compiled."""
    return f"{sys.implementation.cache_tag}.zip"
