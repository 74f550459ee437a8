# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What conmon is given: descriptors, environment, session, control group. The modes of what is written."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import ProcessIdentity
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until


def conmon_of(harbour: Harbour, name: str) -> ProcessIdentity:
    run = harbour.record(name).state.run
    assert run is not None
    assert run.conmon is not None
    return run.conmon


def descriptors(pid: int) -> set[str]:
    links = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        links.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return links


def test_caller_gets_the_end_of_its_output(harbour: Harbour) -> None:
    """A module's output is a pipe; Ansible reads until its end. Nothing that we leave behind may have it
    open.
    """
    harbour.create("web", "sleep", "1000")
    environment = {**os.environ, "SECRET": "hunter2", "NOTIFY_SOCKET": "/nowhere", "LISTEN_FDS": "3"}
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    done = harbour.run_python("verb('start_container')(engine, 'web')", env=environment, close_fds=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)
    conmon = conmon_of(harbour, "web").pid
    assert pathlib.Path(f"/proc/{conmon}/environ").read_bytes().count(b"\0") == 4
    assert b"hunter2" not in pathlib.Path(f"/proc/{conmon}/environ").read_bytes()
    assert not any(".lock" in link or "state.db" in link for link in descriptors(conmon))
    init = harbour.status("web").pid
    assert descriptors(init) <= {
        "/dev/null",
        *(link for link in descriptors(init) if link.startswith("pipe:")),
    }
    assert len(os.listdir(f"/proc/{init}/fd")) == 3


def test_conmon_leaves_the_callers_session_and_group(harbour: Harbour) -> None:
    """As `logind` kills them: whoever is in the scope of the ssh session goes with it (KillUserProcesses)."""
    scope = f"{harbour.paths.cgroup_parent}-scope"
    harbour.create("web", "sleep", "1000")
    join = f"load('linux.cgroups').join(__import__('os').getpid(), {scope!r})"
    code = f"{join}; verb('start_container')(engine, 'web')"
    try:
        assert harbour.run_python(code).returncode == 0
        conmon = conmon_of(harbour, "web").pid
        groups = {
            line.split(":", 2)[2] for line in pathlib.Path(f"/proc/{conmon}/cgroup").read_text().splitlines()
        }
        assert groups == {f"/{harbour.paths.cgroup_parent}/conmon"}
        assert os.getsid(conmon) == conmon
        assert cgroups.processes(scope) == []
        record = harbour.record("web")
        assert cgroups.processes(f"{harbour.paths.cgroup_parent}/{record.id}") == [harbour.status("web").pid]
    finally:
        cgroups.remove(scope)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_under_any_umask(harbour: Harbour, umask: int) -> None:
    harbour.create("web", "sh", "-c", "umask; sleep 1000")
    code = f"__import__('os').umask({umask}); verb('start_container')(engine, 'web')"
    assert harbour.run_python(code).returncode == 0
    private = {"containers", "logs", "agent", "trash"}
    for name in private:
        assert _mode(os.path.join(harbour.paths.root, name)) == 0o700, name
    directory = harbour.paths.container(harbour.record("web").id)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(directory)}
    assert modes.pop("upper") == _mode(os.path.join(directory, "rootfs")) == 0o755
    modes.pop("rootfs")
    assert modes.pop("ctr.log") in (0o600, 0o640)  # conmon's own choice, the latter since 2.1.13
    assert modes == {
        "work": 0o700,
        "config.json": 0o600,
        "ctr.log.limits": 0o600,
        "hosts": 0o644,
        "hostname": 0o644,
        "resolv.conf": 0o644,
        "host-files": 0o600,
    }
    for path in (harbour.paths.run_root, harbour.paths.container_run(harbour.record("web").id)):
        assert _mode(path) == 0o700
    wait_until(lambda: harbour.output("web"), lambda said: said == "0022\n")


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_idle_host_has_nothing_of_ours(harbour: Harbour) -> None:
    harbour.start("web", "sleep", "1000")
    remove_container(harbour.engine, "web")
    for hierarchy in cgroups.layout().hierarchies:
        assert not os.path.exists(os.path.join(hierarchy, harbour.paths.cgroup_parent))
    wait_until(lambda: _mentioning(harbour.paths.root), lambda found: found == "")
    assert os.listdir(harbour.paths.oci_runtime) == os.listdir(harbour.paths.container_run("")) == []


def _mentioning(text: str) -> str:
    return subprocess.run(["pgrep", "-f", text], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("mode", ["host", "none"])
def test_network(harbour: Harbour, mode: str) -> None:
    harbour.start(
        "web", "sh", "-c", "ip -o addr show lo; cat /etc/hostname /etc/hosts; sleep 1000", network_mode=mode
    )
    pid = harbour.status("web").pid
    same = os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    assert same is (mode == "host")
    status = pathlib.Path(f"/proc/{pid}/root/sys/class/net/lo/operstate")
    assert mode == "host" or status.exists()
