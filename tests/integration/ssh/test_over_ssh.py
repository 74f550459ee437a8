# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The modules over real ssh: pipelined and not, as root and through sudo, in the background, on many hosts.

Each host has a state of its own (`root`, `run_root`), so twenty hosts on one kernel do not see each other.
"""

from __future__ import annotations

import json
import os
import shutil
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.ssh.hosts import USER, Hosts

AS_ROOT = {"ansible_user": "root"}
THROUGH_SUDO = {"ansible_user": USER, "ansible_become": True}
Results = t.Mapping[str, t.Any]


def _arguments(**arguments: t.Any) -> str:
    return json.dumps({"root": "{{ coracle_root }}", "run_root": "{{ coracle_run_root }}", **arguments})


def _import_image(hosts: Hosts, login: dict[str, t.Any], **environment: str) -> Results:
    tar = str(hosts.work / "busybox.tar")
    arguments = _arguments(name="busybox:test", source="rootfs", path=tar, cmd=["/bin/sleep", "infinity"])
    return hosts.tasks("coracle.engine.image", arguments, variables=login, **environment)


def _container(hosts: Hosts, login: dict[str, t.Any], *options: str, **arguments: t.Any) -> Results:
    environment = arguments.pop("environment", {})
    task = _arguments(**{"name": "web", "stop_timeout": 1, **arguments})
    return hosts.tasks("coracle.engine.container", task, *options, variables=login, **environment)


def _changed(results: Results) -> set[bool]:
    """What the hosts say about `changed`; none of them may have failed."""
    failed = {
        name: result for name, result in results.items() if "changed" not in result or result.get("failed")
    }
    assert failed == {}
    return {result["changed"] for result in results.values()}


@pytest.mark.parametrize("pipelining", ["true", "false"])
@pytest.mark.parametrize("login", [AS_ROOT, THROUGH_SUDO], ids=["root", "sudo"])
def test_container_outlives_the_connection(one_host: Hosts, login: dict[str, t.Any], pipelining: str) -> None:
    environment = {"ANSIBLE_PIPELINING": pipelining, "ANSIBLE_SSH_ARGS": "-C"}  # each task connects anew
    _import_image(one_host, login, **environment)
    asked = {"image": "busybox:test", "network_mode": "none", "environment": environment}

    first = _container(one_host, login, **asked)
    assert _changed(first) == {True}
    again = _container(one_host, login, **asked)
    assert _changed(again) == {False}
    before, after = (results["host1"]["container"]["State"] for results in (first, again))
    assert after["Status"] == "running"
    assert after["Pid"] == before["Pid"]

    assert _changed(_container(one_host, login, state="absent", environment=environment)) == {True}
    assert _changed(_container(one_host, login, state="absent", environment=environment)) == {False}


def test_task_in_the_background(one_host: Hosts) -> None:
    """`async`: the task runs on after its connection has gone; later connections fetch the result."""
    _import_image(one_host, AS_ROOT)
    asked = {"image": "busybox:test", "network_mode": "none"}
    started = _container(one_host, AS_ROOT, "--background", "120", "--poll", "1", **asked)
    assert started["host1"]["finished"] in (True, 1)
    assert _changed(started) == {True}
    assert started["host1"]["container"]["State"]["Running"] is True
    assert _changed(_container(one_host, AS_ROOT, state="absent")) == {True}


@pytest.mark.parametrize("login", [AS_ROOT, THROUGH_SUDO], ids=["root", "sudo"])
def test_files_there_and_back(one_host: Hosts, login: dict[str, t.Any]) -> None:
    """What is too large to go with the task goes as a file, through the user who logs in."""
    _import_image(one_host, login)
    assert _changed(_container(one_host, login, image="busybox:test", network_mode="none")) == {True}
    source, got = one_host.work / "source", one_host.work / "got"
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(got, ignore_errors=True)
    source.mkdir()
    for number in range(3):
        (source / str(number)).write_bytes(os.urandom(1 << 20))

    def copy(**options: t.Any) -> set[bool]:
        task = _arguments(container="web", **options)
        return _changed(one_host.tasks("coracle.engine.container_copy", task, variables=login))

    for expected in (True, False):
        assert copy(src=f"{source}/", dest="/srv/files") == {expected}
    for expected in (True, False):
        assert copy(direction="out", src="/srv/files/", dest=str(got)) == {expected}
    assert {path.name: path.read_bytes() for path in got.iterdir()} == {
        path.name: path.read_bytes() for path in source.iterdir()
    }
    assert _changed(_container(one_host, login, state="absent")) == {True}


def test_twenty_hosts_at_once(twenty_hosts: Hosts) -> None:
    """Import, start, nothing to do, remove: twenty times the same answer, twenty different containers."""
    twenty = {"ANSIBLE_FORKS": "20", "ANSIBLE_PIPELINING": "true"}
    assert _changed(_import_image(twenty_hosts, THROUGH_SUDO, **twenty)) == {True}
    asked = {"image": "busybox:test", "network_mode": "none", "environment": twenty}

    first = _container(twenty_hosts, THROUGH_SUDO, **asked)
    assert _changed(first) == {True}
    assert len({result["container"]["Id"] for result in first.values()}) == 20
    assert _changed(_container(twenty_hosts, THROUGH_SUDO, **asked)) == {False}
    assert _changed(_container(twenty_hosts, THROUGH_SUDO, state="absent", environment=twenty)) == {True}
