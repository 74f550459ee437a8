# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The role `host` on this machine: check, do, again, again in check; and what it refuses."""

from __future__ import annotations

import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
ANSIBLE_PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"


class Run(t.NamedTuple):
    status: int
    changed: int
    output: str  # on one line, as long messages are wrapped


ApplyRole = t.Callable[..., Run]


@pytest.fixture
def apply_role(tmp_path: pathlib.Path) -> ApplyRole:
    """Applies the role to this machine: words are options of ansible-playbook, keywords are variables."""

    def apply(*options: str, **variables: t.Any) -> Run:
        done = subprocess.run(
            [str(ANSIBLE_PLAYBOOK), "playbooks/host.yml", "--extra-vars", json.dumps(variables), *options],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "ansible"), "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        recap = re.search(r"changed=(\d+)", done.stdout)
        return Run(done.returncode, int(recap[1]) if recap else -1, " ".join(done.stdout.split()))

    return apply


def test_check_do_again_check(apply_role: ApplyRole, tmp_path: pathlib.Path) -> None:
    root = tmp_path / "state"
    variables = {"host_root": str(root), "host_persist_cgroups": False}
    assert apply_role("--check", **variables)[:2] == (0, 1)
    assert not root.exists()
    assert apply_role(**variables)[:2] == (0, 1)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert apply_role(**variables)[:2] == (0, 0)
    assert apply_role("--check", **variables)[:2] == (0, 0)


def test_check_mode_where_nothing_is_installed(apply_role: ApplyRole, tmp_path: pathlib.Path) -> None:
    run = apply_role("--check", host_root=str(tmp_path), host_program_directories=[str(tmp_path)])
    assert run.status == 0
    assert "would install aardvark-dns, catatonit, conmon, crun, nftables, zstd" in run.output
    assert run.changed >= 1


def test_another_runtime(apply_role: ApplyRole, tmp_path: pathlib.Path) -> None:
    run = apply_role(
        "--check", host_root=str(tmp_path), host_program_directories=[str(tmp_path)], host_runtime="runc"
    )
    assert "would install aardvark-dns, catatonit, conmon, nftables, runc, zstd" in run.output


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"host_program_directories": ["/nowhere"], "host_manage_packages": False},
            "localhost lacks aardvark-dns, catatonit, conmon, crun, nft, zstd,"
            " and host_manage_packages is false",
        ),
        (
            {"host_oldest_versions": {"crun": "77.1", "conmon": "2.0"}},
            "is too old: coracle.engine needs 77.1 or newer.",
        ),
        (
            {"host_oldest_kernel": "77.1"},
            "is too old, coracle.engine needs 77.1 or newer.",
        ),
        (
            {"host_runtime": "docker"},
            "value of host_runtime must be one of: crun, runc, got: docker",
        ),
    ],
)
def test_refusals(
    apply_role: ApplyRole, tmp_path: pathlib.Path, variables: dict[str, t.Any], sentence: str
) -> None:
    run = apply_role(host_root=str(tmp_path / "state"), **variables)
    assert run.status != 0
    assert sentence in run.output
    assert not (tmp_path / "state").exists()
