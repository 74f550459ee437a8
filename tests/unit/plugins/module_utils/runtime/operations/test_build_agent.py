# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The archive of the engine: the same bytes for the same sources, complete, and it runs."""

from __future__ import annotations

import hashlib
import io
import pathlib
import subprocess
import sys
import zipfile

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import build_agent

PLUGINS = pathlib.Path(__file__).parents[6] / "plugins"
MAIN = "coracle/module_utils/runtime/agent/main.py"


@pytest.fixture(scope="module")
def whole() -> bytes:
    return build_agent.pack(build_agent.sources_of_collection(str(PLUGINS)))


def test_equal_sources_make_equal_bytes(whole: bytes) -> None:
    sources = build_agent.sources_of_collection(str(PLUGINS))
    backwards = dict(sorted(sources.items(), reverse=True))
    assert hashlib.sha256(build_agent.pack(backwards)).digest() == hashlib.sha256(whole).digest()


def test_everything_of_the_collection_is_in_it(whole: bytes) -> None:
    names = zipfile.ZipFile(io.BytesIO(whole)).namelist()
    for path in [*PLUGINS.glob("module_utils/**/*.py"), *PLUGINS.glob("modules/*.py")]:
        assert f"coracle/{path.relative_to(PLUGINS)}" in names
    assert "coracle/__init__.py" in names
    assert "coracle/modules/__init__.py" in names


def test_the_agent_is_a_part_of_it(whole: bytes) -> None:
    agent, archive = build_agent.sources_of_agent(), zipfile.ZipFile(io.BytesIO(whole))
    assert MAIN in agent
    assert build_agent.COMMAND in agent
    assert {path: archive.read(path) for path in agent} == agent
    assert not [path for path in agent if "/module/" in path or "/modules/" in path]


def test_of_the_payload_of_a_task_only_what_it_needs_stays(whole: bytes, tmp_path: pathlib.Path) -> None:
    payload = tmp_path / "payload.zip"
    payload.write_bytes(whole)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from coracle.module_utils.runtime.operations.build_agent import sources_of_agent\n"
        "print(*sources_of_agent())"
    )
    argv = [sys.executable, "-c", code, str(payload)]
    names = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert MAIN in names
    unwanted = ("/registry/", "/reconcile/", "/command/", "/module/", "/modules/")
    assert not [name for name in names if any(part in name for part in unwanted)]


def test_it_runs_with_and_without_what_is_compiled(tmp_path: pathlib.Path) -> None:
    archive, sources = tmp_path / "coracle.pyz", build_agent.sources_of_agent()
    archive.write_bytes(build_agent.pack(sources))
    assert run(archive).startswith("usage: coracle.pyz ")
    other = build_agent.pack({**sources, MAIN: sources[MAIN].replace(b"coracle.pyz", b"compiled")})
    (tmp_path / build_agent.compiled_name()).write_bytes(build_agent.compiled(other))
    assert run(archive).startswith("usage: compiled ")


def test_only_compiled_code_is_in_what_is_compiled(whole: bytes) -> None:
    names = zipfile.ZipFile(io.BytesIO(build_agent.compiled(whole))).namelist()
    sources = zipfile.ZipFile(io.BytesIO(whole)).namelist()
    assert names == [f"{name}c" for name in sources if name != "__main__.py"]


def run(archive: pathlib.Path) -> str:
    """What the agent says to a command that it does not know."""
    argv = [sys.executable, "-I", "-S", str(archive), "nonsense"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stderr
