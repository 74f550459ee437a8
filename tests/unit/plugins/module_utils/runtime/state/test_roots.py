# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import shutil

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.roots import (
    check_roots,
    claim_roots,
)


def pair(base: pathlib.Path, root: str, run_root: str) -> Paths:
    paths = Paths(str(base / root), str(base / run_root))
    for directory in paths:
        os.makedirs(directory, exist_ok=True)
    return paths


def test_a_pair_is_one_when_both_say_so(tmp_path: pathlib.Path) -> None:
    paths = pair(tmp_path, "a", "run")
    assert not check_roots(paths)
    claim_roots(paths)
    assert check_roots(paths)
    claim_roots(paths)
    assert sorted(os.listdir(paths.root) + os.listdir(paths.run_root)) == ["root", "run_root"]


def test_a_run_root_belongs_to_one_root(tmp_path: pathlib.Path) -> None:
    claim_roots(pair(tmp_path, "a", "run"))
    other = pair(tmp_path, "b", "run")
    for verb in (check_roots, claim_roots):
        with pytest.raises(Conflict) as raised:
            verb(other)
        assert (
            raised.value.message == f"run_root: {tmp_path}/run belongs to the engine with root {tmp_path}/a"
        )
        assert raised.value.hint == (
            f"give root {tmp_path}/b a run_root of its own, or use root: {tmp_path}/a"
        )
    assert os.listdir(other.root) == []


def test_a_root_has_one_run_root(tmp_path: pathlib.Path) -> None:
    claim_roots(pair(tmp_path, "a", "run"))
    other = pair(tmp_path, "a", "run2")
    for verb in (check_roots, claim_roots):
        with pytest.raises(Conflict, match=f"runs with run_root {tmp_path}/run, not {tmp_path}/run2"):
            verb(other)
    assert os.listdir(other.run_root) == []


def test_a_reboot_sets_free_what_it_has_ended(tmp_path: pathlib.Path) -> None:
    first = pair(tmp_path, "a", "run")
    claim_roots(first)
    shutil.rmtree(first.run_root)
    assert not check_roots(first)
    moved = pair(tmp_path, "a", "run2")
    claim_roots(moved)
    assert check_roots(moved)
    with pytest.raises(Conflict):
        check_roots(first)
    claim_roots(pair(tmp_path, "b", "run"))


@pytest.mark.parametrize("left", ["root", "run"])
def test_half_a_claim_is_none(tmp_path: pathlib.Path, left: str) -> None:
    """Whoever wrote it was killed before the other half."""
    paths = pair(tmp_path, "a", "run")
    claim_roots(paths)
    os.unlink(f"{paths.run_root}/root" if left == "root" else f"{paths.root}/run_root")
    for other in (pair(tmp_path, "b", "run"), pair(tmp_path, "a", "run2")):
        assert not check_roots(other)
    claim_roots(paths)
    assert check_roots(paths)


def test_what_is_no_mark_is_written_anew(tmp_path: pathlib.Path) -> None:
    paths = pair(tmp_path, "a", "run")
    (tmp_path / "run" / "root").symlink_to("/etc/passwd")
    (tmp_path / "a" / "run_root").write_text("")
    claim_roots(paths)
    assert check_roots(paths)
    assert not (tmp_path / "run" / "root").is_symlink()
