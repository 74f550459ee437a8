# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The ladder of `runtime/__init__.py`: imports go down, exist, and what is costly has one door.

The walk covers imports inside functions and under conditions too: AnsiballZ ships those as well, and skips in
silence the ones it cannot find.
"""

from __future__ import annotations

import ast
import pathlib
import typing as t

import pytest

MODULE_UTILS = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "module_utils"

# Areas, and files that are areas of their own, by rung.
RUNGS = {
    "runtime": 0,  # the docstring in runtime/__init__.py
    "runtime.errors": 0,
    "runtime.paths": 0,
    "runtime.linux": 1,
    "runtime.oci": 1,
    "runtime.state": 1,
    "runtime.content": 2,
    "runtime.layers": 2,
    "runtime.registry": 2,
    "runtime.network": 2,
    "runtime.volume": 2,
    "runtime.container": 2,
    "runtime.engine": 2.5,
    "runtime.copying": 2.7,
    "runtime.operations": 3,
    "runtime.reconcile": 4,
    "runtime.agent": 4,
    "runtime.command": 4.5,
    "module": 5,
}
STRANGERS_ON = (1, 2)  # rungs whose areas do not know each other; above, equals may

# The only files that may import these at all, anywhere.
DOORS = {"pyroute2": {"runtime.network.links"}}

# Costly: only inside a function, so that a task pays when it needs them.
COSTLY = ("http.client", "ssl", "sqlite3", "tarfile", "pyroute2")


class Import(t.NamedTuple):
    """`target`: dotted name, relative to module_utils for our own files; `own` tells which."""

    target: str
    own: bool
    line: int
    at_import_time: bool


def files() -> list[pathlib.Path]:
    return sorted(MODULE_UTILS.rglob("*.py"))


def dotted(path: pathlib.Path) -> str:
    """`runtime.linux.files` for runtime/linux/files.py, `runtime.linux` for its package."""
    parts = path.relative_to(MODULE_UTILS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, name: str, is_package: bool = False) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, at_import_time: bool) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            at_import_time = False
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("t.TYPE_CHECKING", "TYPE_CHECKING"):
            at_import_time = False
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, False, node.lineno, at_import_time) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.extend(from_import(node, at_import_time))
        for child in ast.iter_child_nodes(node):
            visit(child, at_import_time)

    def from_import(node: ast.ImportFrom, at_import_time: bool) -> t.Iterator[Import]:
        if node.level == 0:
            # `from http import client` and `from http.client import X` are both the module http.client.
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", False, node.lineno, at_import_time)
            return
        package = name.split(".") if is_package else name.split(".")[:-1]
        base = package[: len(package) - (node.level - 1)] + (node.module.split(".") if node.module else [])
        for alias in node.names:
            target = ".".join(base)
            if node.module is None or is_module(f"{target}.{alias.name}"):
                target = f"{target}.{alias.name}"
            yield Import(target, True, node.lineno, at_import_time)

    visit(ast.parse(source), True)
    return found


def is_module(name: str) -> bool:
    place = MODULE_UTILS.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def area_of(name: str) -> str | None:
    """The entry of RUNGS that `name` belongs to."""
    parts = name.split(".")
    for length in range(min(len(parts), 2), 0, -1):
        area = ".".join(parts[:length])
        if area in RUNGS and (area != "runtime" or len(parts) == 1):
            return area
    return None


def names(target: str, module: str) -> bool:
    return target == module or target.startswith(f"{module}.")


def complaints(source: str, name: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of one file."""
    found = []
    area = area_of(name)
    if area is None:
        return [f"{name} belongs to no rung"]
    for item in imports_of(source, name, is_package):
        where = f"{name}:{item.line}"
        if item.own:
            found += [f"{where}: {text}" for text in own_complaints(area, item.target)]
        else:
            found += [f"{where}: {text}" for text in foreign_complaints(name, area, item)]
    return found


def own_complaints(area: str, target: str) -> t.Iterator[str]:
    if not is_module(target):
        yield f"imports {target}, which does not exist"
        return
    other = area_of(target)
    if other is None or other == area:
        return
    if RUNGS[other] > RUNGS[area]:
        yield f"imports {target}, which is higher up"
    elif RUNGS[other] == RUNGS[area] and RUNGS[area] in STRANGERS_ON:
        yield f"imports {target}, a stranger on the same rung"


def foreign_complaints(name: str, area: str, item: Import) -> t.Iterator[str]:
    if names(item.target, "ansible_collections"):
        yield "imports by an absolute name, which a zipapp does not have"
    if names(item.target, "ansible") and RUNGS[area] < 5:
        yield "imports ansible below rung 5"
    for module, doors in DOORS.items():
        if names(item.target, module) and name not in doors:
            yield f"imports {module}, which belongs to {', '.join(sorted(doors))}"
    for module in COSTLY:
        if names(item.target, module) and item.at_import_time:
            yield f"imports {module} at import time"


@pytest.mark.parametrize("path", files(), ids=dotted)
def test_imports_go_down_and_exist(path: pathlib.Path) -> None:
    assert complaints(path.read_text(), dotted(path), path.name == "__init__.py") == []


def test_every_rung_of_the_map_is_drawn() -> None:
    drawn = ast.get_docstring(ast.parse((MODULE_UTILS / "runtime" / "__init__.py").read_text())) or ""
    existing = {area_of(dotted(path)) for path in files()} - {"runtime", "module", None}
    assert {area for area in existing if t.cast(str, area).partition(".")[2] not in drawn} == set()


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("runtime.linux.files", "from ..operations import pull_image", "higher up"),
        ("runtime.linux.files", "def f():\n    from ..container import records", "higher up"),
        ("runtime.linux.files", "from ..state.schema import MIGRATIONS", "stranger"),
        ("runtime.container.records", "from ..volume.records import VolumeRecord", "stranger"),
        ("runtime.container.records", "from ..engine import Engine", "higher up"),
        ("runtime.linux.files", "from .no_such_file import x", "does not exist"),
        ("runtime.linux.files", "from ...module import entry", "higher up"),
        (
            "runtime.reconcile.container",
            "from ansible.module_utils.basic import AnsibleModule",
            "below rung 5",
        ),
        ("runtime.state.database", "import sqlite3", "at import time"),
        ("runtime.registry.transport", "from http import client", "at import time"),
        ("runtime.registry.transport", "class C:\n    import ssl", "at import time"),
        ("runtime.container.records", "def f():\n    import pyroute2.netns", "belongs to"),
        ("runtime.network.links", "import pyroute2", "at import time"),
        ("runtime.errors", "from ansible_collections.coracle.engine.x import y", "absolute name"),
        ("runtime.novelty", "", "no rung"),
    ],
)
def test_a_wrong_import_is_seen(name: str, source: str, complaint: str) -> None:
    found = complaints(source, name)
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("runtime.state.database", "def f():\n    import sqlite3"),
        ("runtime.state.database", "if t.TYPE_CHECKING:\n    import sqlite3"),
        ("runtime.state.database", "from .schema import MIGRATIONS\nfrom ..errors import StateError"),
        ("runtime.volume.records", "from ..state.database import Transaction\nfrom ..linux import files"),
        ("runtime.network.links", "def f():\n    import pyroute2"),
        ("runtime.operations.pull_image", "from ..engine import Engine"),
        (
            "module.entry",
            "from ansible.module_utils.basic import AnsibleModule\nfrom ..runtime import errors",
        ),
    ],
)
def test_a_right_import_passes(name: str, source: str) -> None:
    assert complaints(source, name) == []
