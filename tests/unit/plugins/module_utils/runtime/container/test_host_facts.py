# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pathlib
import struct

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import host_facts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.security_values import (
    CAPABILITIES,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import HostNotReady
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.cgroups import CgroupLayout


def test_this_host() -> None:
    facts = host_facts.read_host_facts()
    assert facts.machine.kernel >= (5, 4)
    assert facts.bounding <= set(CAPABILITIES)
    assert facts.cgroup_mode in ("v1", "hybrid", "v2")
    assert all(limit >= 0 for limit in facts.largest_limits.values())


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.1.0-13-amd64", (6, 1)), ("5.14.0-362.el9.x86_64", (5, 14)), ("6.18", (6, 18)), ("?", (0, 0))],
)
def test_kernel_versions(release: str, version: tuple[int, int]) -> None:
    assert host_facts._kernel_version(release) == version


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("x86_64", "x86_64"),
        ("i386", "i686"),
        ("i686", "i686"),
        ("armv6l", "armv7l"),
        ("armv8l", "armv7l"),
        ("aarch64", "aarch64"),
    ],
)
def test_machine_names(machine: str, name: str) -> None:
    assert host_facts._machine_name(machine) == name


@pytest.mark.parametrize(
    ("files", "unified", "counts"),
    [
        (["memory.memsw.limit_in_bytes"], None, True),
        (["memory.limit_in_bytes"], None, False),
        ([], "same", True),
        (["a.slice/memory.max", "a.slice/memory.swap.max", "b.slice/cgroup.procs"], "same", True),
        (["a.slice/memory.max"], "same", False),
    ],
)
def test_swap_that_is_counted(
    tmp_path: pathlib.Path, files: list[str], unified: str | None, counts: bool
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    top = str(tmp_path)
    layout = CgroupLayout("v2" if unified else "v1", {"memory": top}, top if unified else None, (top,))
    assert host_facts._counts_swap(layout) is counts


def program(path: pathlib.Path, kinds: list[int], order: str = "<") -> str:
    """A 64-bit ELF file of headers only, with program headers of these types."""
    identity = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + bytes(9)
    header = struct.pack(f"{order}HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, len(kinds), 0, 0, 0)
    path.write_bytes(identity + header + b"".join(struct.pack(f"{order}I52x", kind) for kind in kinds))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_init_has_to_be_static(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    script, closed = tmp_path / "script", tmp_path / "closed"
    script.write_text("#!/bin/sh\n" + "#" * 100)
    script.chmod(0o755)
    program(closed, [1])
    closed.chmod(0o644)
    dynamic = program(tmp_path / "dynamic", [6, 3, 1], order)
    candidates = [str(tmp_path / "missing"), str(tmp_path), str(script), dynamic, str(closed)]
    monkeypatch.setattr(host_facts, "_INIT_PROGRAMS", candidates)
    with pytest.raises(HostNotReady, match=r"^init: "):
        host_facts.find_init_program()
    static = program(tmp_path / "static", [6, 1, 1], order)
    monkeypatch.setattr(host_facts, "_INIT_PROGRAMS", [*candidates, static])
    assert host_facts.find_init_program() == static


def test_apparmor_profiles_have_to_be_loaded() -> None:
    with pytest.raises(HostNotReady, match=r"^apparmor=no-such-profile: "):
        host_facts.loaded_apparmor_profile("no-such-profile")
