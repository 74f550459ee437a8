# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""This engine as a zipapp, made of the sources that this code was imported from.

Those lie in a directory (a checkout, an installed collection) or in a zip file (the payload of an Ansible
task, or the zipapp itself). Taken is what `agent/main.py` needs, found as Ansible finds it: by following
the relative imports, those inside functions too. Each module goes in twice, as source and compiled by this
Python, which saves the agent 0.2 s at every exit of a container; another Python falls back to the source.
"""

from __future__ import annotations

import ast
import hashlib
import io
import os
import sys
import typing as t
import zipfile

_PACKAGE = "coracle"
_RUNTIME = "runtime"
_ENTRY = "agent/main.py"
_MAIN = f"""\
import os
import sys

# The link that led here may be switched while we sleep: what is imported later has to come from the same
# file.
sys.path[0] = os.path.realpath(sys.path[0])

from {_PACKAGE}.{_RUNTIME}.agent.main import main

main(sys.argv[1:])
"""
_UNCHECKED_HASH = (1).to_bytes(4, "little")  # PEP 552: belongs to its source, which need not be looked at


class _Sources(t.NamedTuple):
    """Where this package lies: `root` is a directory, or a zip file with the package at `prefix`."""

    root: str
    prefix: str

    @property
    def is_zip(self) -> bool:
        return os.path.isfile(self.root)


def fingerprint() -> str:
    """A name for the sources as they are now and the Python that would compile them. Cheap: nothing is
    read.
    """
    sources = _find()
    digest = hashlib.sha256(str(sys.implementation.cache_tag).encode())
    marks = _marks_in_zip(sources) if sources.is_zip else _marks_in_directory(sources.root)
    for mark in sorted(marks):
        digest.update(mark.encode() + b"\\0")
    return digest.hexdigest()[:16]


def build_agent() -> bytes:
    """The zipapp; the same sources and the same Python make the same bytes."""
    modules = _closure(_read_all(_find()))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _MAIN.encode())
        _add(archive, f"{_PACKAGE}/__init__.py", b"")
        for name, source in sorted(modules.items()):
            path = f"{_PACKAGE}/{_RUNTIME}/{name}"
            _add(archive, path, source)
            _add(archive, f"{path}c", _compiled(path, source))
    return content.getvalue()


def _find() -> _Sources:
    directory = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    root = directory
    while not os.path.exists(root):
        root = os.path.dirname(root)
    return _Sources(root, directory[len(root) :].strip("/"))


def _marks_in_directory(root: str) -> t.Iterator[str]:
    for name in _names_in_directory(root):
        found = os.stat(os.path.join(root, name))
        yield f"{name} {found.st_size} {found.st_mtime_ns}"


def _marks_in_zip(sources: _Sources) -> t.Iterator[str]:
    with zipfile.ZipFile(sources.root) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(f"{sources.prefix}/") and entry.filename.endswith(".py"):
                yield f"{entry.filename[len(sources.prefix) + 1 :]} {entry.file_size} {entry.CRC}"


def _read_all(sources: _Sources) -> dict[str, bytes]:
    """Every module of this package by its path below `runtime/`."""
    if not sources.is_zip:
        return {name: _read(os.path.join(sources.root, name)) for name in _names_in_directory(sources.root)}
    start = len(sources.prefix) + 1
    with zipfile.ZipFile(sources.root) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.startswith(f"{sources.prefix}/") and name.endswith(".py")
        ]
        return {name[start:]: archive.read(name) for name in names}


def _names_in_directory(root: str) -> t.Iterator[str]:
    for directory, _directories, files in os.walk(root):
        for file in files:
            if file.endswith(".py"):
                yield os.path.relpath(os.path.join(directory, file), root)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _closure(sources: dict[str, bytes]) -> dict[str, bytes]:
    """What the entry needs of `sources`, itself and the packages above included."""
    needed: dict[str, bytes] = {}
    pending = [_ENTRY]
    while pending:
        name = pending.pop()
        if name in needed or name not in sources:
            continue
        needed[name] = sources[name]
        pending += _imported(name, sources[name])
        pending += _packages_of(name)
    return needed


def _imported(name: str, source: bytes) -> t.Iterator[str]:
    """Files that the relative imports of a module may mean; `from .x import y`: y may be a module or a name
    in x.
    """
    here = name.split("/")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level] + (node.module.split(".") if node.module else [])
            for path in ["/".join(base), *("/".join([*base, alias.name]) for alias in node.names)]:
                yield f"{path}.py"
                yield f"{path}/__init__.py"


def _packages_of(name: str) -> t.Iterator[str]:
    directory = os.path.dirname(name)
    while directory:
        yield f"{directory}/__init__.py"
        directory = os.path.dirname(directory)
    yield "__init__.py"


def _compiled(path: str, source: bytes) -> bytes:
    import importlib.util
    import marshal

    code = compile(source, f"{_PACKAGE}.pyz/{path}", "exec", dont_inherit=True)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), data)
