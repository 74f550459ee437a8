# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The modules from tests that users write with pytest-ansible: in one process, without a command line.

Apart from the other tests: the plugin installs Ansible's finder of collections, which finds no tests.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def localhost(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    monkeypatch.chdir(ROOT)
    ansible = request.getfixturevalue("ansible_adhoc")
    inventory = "playbooks/inventory/localhost.yml"
    return ansible(inventory=inventory, connection="local", host_pattern="localhost").all


@pytest.mark.filterwarnings("ignore:Host management is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:AnsibleCollectionFinder has already been configured:UserWarning")
def test_module_in_process(localhost: t.Any, tmp_path: pathlib.Path) -> None:
    answers = localhost.container_info(root=f"{tmp_path}/root", run_root=f"{tmp_path}/run")
    assert answers["localhost"]["containers"] == []
    assert not answers["localhost"]["changed"]
