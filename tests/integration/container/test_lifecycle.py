# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""From creation to removal: what the operations do to a real container, and what they say."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    HostNotReady,
    NotFound,
    RuntimeFailure,
    TimedOut,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.kill_container import (
    kill_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pause_container import (
    pause_container,
    resume_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.prepare_container import (
    prepare_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.rename_container import (
    rename_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.restart_container import (
    restart_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.start_container import (
    release_container,
    start_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_container import (
    wait_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

SLEEP = ("sleep", "1000")
OBEDIENT = ("sh", "-c", "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.05; done")
STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")


def ready(harbour: Harbour, name: str) -> None:
    wait_until(lambda: harbour.output(name), lambda output: "ready" in output)


def test_life(harbour: Harbour) -> None:
    created = harbour.create("web", *OBEDIENT)
    assert re.fullmatch("[0-9a-f]{64}", created.id)
    assert harbour.status("web").status == "created"

    started = harbour.start("web")
    assert started.id == created.id
    status = harbour.status("web")
    assert (status.status, status.exit_code, status.finished_at) == ("running", 0, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", status.started_at)
    ready(harbour, "web")
    assert pathlib.Path(f"/proc/{status.pid}/comm").read_text().strip() == "sh"

    stop_container(harbour.engine, "web")
    status = harbour.status("web")
    assert (status.status, status.exit_code, status.pid) == ("exited", 7, 0)
    assert status.started_at < status.finished_at
    assert harbour.output("web") == "ready\nasked\n"

    harbour.start("web")
    assert harbour.status("web").status == "running"
    remove_container(harbour.engine, "web")
    assert not harbour.exists("web")
    assert os.listdir(harbour.paths.containers) == os.listdir(harbour.paths.trash) == []
    with pytest.raises(NotFound, match="there is no container web"):
        remove_container(harbour.engine, "web")


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exit_code(harbour: Harbour, code: int) -> None:
    harbour.start("job", "sh", "-c", f"exit {code}")
    assert wait_container(harbour.engine, "job") == code
    assert harbour.status("job")[:3] == ("exited", 0, code)


def test_death_by_signal(harbour: Harbour) -> None:
    pid = harbour.start("job", *SLEEP) and harbour.status("job").pid
    os.kill(pid, signal.SIGKILL)
    assert wait_container(harbour.engine, "job") == 137
    assert harbour.status("job").error == ""


def test_death_for_want_of_memory(harbour: Harbour) -> None:
    harbour.start("hungry", "sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1", memory=16 << 20)
    wait_container(harbour.engine, "hungry")
    assert harbour.status("hungry").oom_killed


def test_output_of_the_last_run_only(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "echo run; printf 'no end'; echo problem >&2")
    wait_container(harbour.engine, "job")
    harbour.start("job")
    wait_container(harbour.engine, "job")
    assert sorted(harbour.output("job").replace("problem\n", "")) == sorted("run\nno end")


# What goes wrong is told, and undone


def nothing_is_left(harbour: Harbour) -> None:
    """Of a run; the container stays."""
    paths = harbour.paths
    assert mounts.mounts_below(paths.root) == []
    assert os.listdir(paths.container_run("")) == []
    assert set(os.listdir(paths.oci_runtime)) <= {".cache"}  # of newer versions of crun: seccomp filters
    for record in (harbour.record("web"),):
        assert cgroups.processes(f"{paths.cgroup_parent}/{record.id}") == []
        assert not any(
            os.path.isdir(os.path.join(hierarchy, paths.cgroup_parent, record.id))
            for hierarchy in cgroups.layout().hierarchies
        )


def test_missing_program(harbour: Harbour) -> None:
    harbour.create("web", "/no/such/program")
    with pytest.raises(RuntimeFailure) as caught:
        prepare_container(harbour.engine, "web")
    assert str(caught.value).replace(" in $PATH", "") == (  # that is left out by newer versions of crun
        "prepare container web: crun create: executable file `/no/such/program` not found: "
        "No such file or directory "
        "(`command` or `entrypoint` names a program that the image does not have, or that a mount hides)"
    )
    nothing_is_left(harbour)
    assert harbour.status("web").status == "created"
    assert "no/such/program" in harbour.status("web").error


def test_missing_program_leaves_the_last_exit(harbour: Harbour) -> None:
    harbour.start("web", "sh", "-c", "mv /bin/sh /bin/hs; exit 4")
    assert wait_container(harbour.engine, "web") == 4
    with pytest.raises(RuntimeFailure, match="start container web"):
        start_container(harbour.engine, "web")
    status = harbour.status("web")
    assert (status.status, status.exit_code) == ("exited", 4)
    assert "not found" in status.error


def test_mount_that_cannot_be(harbour: Harbour) -> None:
    volume = {
        "type": "bind",
        "source": "/proc/version",
        "target": "/etc/passwd/x",
        "read_only": False,
        "options": [],
    }
    harbour.create("web", *SLEEP, volumes=[volume])
    with pytest.raises(RuntimeFailure, match=r"crun create: .*Not a directory"):
        start_container(harbour.engine, "web")
    nothing_is_left(harbour)


def test_program_that_is_not_installed(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP)
    missing = pytest.raises(HostNotReady, match=r"conmon-of-another-world is not installed .*host")
    with missing, Engine(harbour.paths, conmon="conmon-of-another-world") as engine:
        start_container(engine, "web")
    nothing_is_left(harbour)
    harbour.create("other", *SLEEP, runtime="/opt/no/crun")
    with pytest.raises(HostNotReady, match=r"/opt/no/crun is not a program on this host \(name "):
        start_container(harbour.engine, "other")


def test_name_is_taken(harbour: Harbour) -> None:
    first = harbour.create("web", *SLEEP)
    with pytest.raises(
        Conflict, match=f"create container web: the name is taken by container {first.id[:12]}"
    ):
        harbour.create("web", *SLEEP)
    other = harbour.create("other", *SLEEP)
    with pytest.raises(Conflict, match="the name is taken"):
        rename_container(harbour.engine, other.id, "web")


# Stop and kill


def test_stop_kills_after_its_time(harbour: Harbour) -> None:
    harbour.start("web", *STUBBORN)
    ready(harbour, "web")
    began = time.monotonic()
    stop_container(harbour.engine, "web", timeout=1)
    assert 0.9 < time.monotonic() - began < 10
    assert harbour.status("web").exit_code == 137


def test_stop_without_time(harbour: Harbour) -> None:
    harbour.start("web", *STUBBORN, stop_timeout=0)
    ready(harbour, "web")
    began = time.monotonic()
    stop_container(harbour.engine, "web")
    assert time.monotonic() - began < 5
    assert harbour.status("web").exit_code == 137


def test_stop_with_another_signal(harbour: Harbour) -> None:
    harbour.start(
        "web", "sh", "-c", "trap 'exit 5' USR1; trap 'exit 6' HUP; echo ready; while :; do sleep 0.05; done"
    )
    ready(harbour, "web")
    stop_container(harbour.engine, "web", signal="USR1")
    assert harbour.status("web").exit_code == 5
    harbour.start("web")
    wait_until(lambda: harbour.output("web"), lambda output: "ready" in output)
    kill_container(harbour.engine, "web", "HUP")
    assert wait_container(harbour.engine, "web") == 6
    assert not harbour.record("web").state.stopped_by_user


def test_stop_of_what_does_not_run_is_remembered(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP, restart_policy="always")
    stop_container(harbour.engine, "web")
    assert harbour.record("web").state.stopped_by_user
    harbour.start("web")
    assert not harbour.record("web").state.stopped_by_user
    harbour.create("job", *SLEEP)
    with pytest.raises(Conflict, match="kill container job: it is not running"):
        kill_container(harbour.engine, "job")


def test_lock_is_free_while_stopping(harbour: Harbour) -> None:
    harbour.start("web", *STUBBORN)
    ready(harbour, "web")
    code = "verb('stop_container')(engine, 'web', timeout=30)"
    with subprocess.Popen(harbour.python(code)) as stopping:
        wait_until(lambda: harbour.record("web").state.stopped_by_user, bool)
        remove_container(harbour.engine, "web")
        assert stopping.wait(timeout=10) == 0
    assert not harbour.exists("web")


# Pause


def test_pause(harbour: Harbour) -> None:
    harbour.start("web", *OBEDIENT)
    ready(harbour, "web")
    for _attempt in range(2):
        pause_container(harbour.engine, "web")
        assert harbour.status("web").status == "paused"
    for _attempt in range(2):
        resume_container(harbour.engine, "web")
        assert harbour.status("web").status == "running"
    pause_container(harbour.engine, "web")
    stop_container(harbour.engine, "web")
    assert harbour.status("web").exit_code == 7
    with pytest.raises(Conflict, match="pause container web: it is not running"):
        pause_container(harbour.engine, "web")


@pytest.mark.parametrize("end", ["kill", "remove", "stop"])
def test_end_of_a_paused_container(harbour: Harbour, end: str) -> None:
    harbour.start("web", *STUBBORN)
    ready(harbour, "web")
    pause_container(harbour.engine, "web")
    if end == "kill":
        kill_container(harbour.engine, "web")
        assert wait_container(harbour.engine, "web", timeout=10) == 137
    elif end == "remove":
        remove_container(harbour.engine, "web")
    else:
        stop_container(harbour.engine, "web", timeout=1)
        assert harbour.status("web").exit_code == 137


# Two halves of a start


def test_prepare_and_release(harbour: Harbour) -> None:
    harbour.create("web", "sh", "-c", "echo here; sleep 1000")
    prepared = prepare_container(harbour.engine, "web")
    assert harbour.status("web").status == "created"
    assert prepare_container(harbour.engine, "web").state.run == prepared.state.run
    with pytest.raises(Conflict):
        kill_container(harbour.engine, "web")
    released = release_container(harbour.engine, "web")
    assert released.state.run is not None
    assert prepared.state.run is not None
    assert released.state.run.nonce == prepared.state.run.nonce
    assert harbour.status("web").status == "running"
    with pytest.raises(Conflict, match="not prepared any more"):
        release_container(harbour.engine, "web")


@pytest.mark.parametrize("verb", [stop_container, remove_container, start_container])
def test_what_is_prepared_can_be(harbour: Harbour, verb: object) -> None:
    harbour.create("web", *SLEEP)
    prepare_container(harbour.engine, "web")
    assert callable(verb)
    verb(harbour.engine, "web")
    if verb is stop_container:
        assert harbour.status("web").status == "created"
        nothing_is_left(harbour)


def test_death_between_create_and_start(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP)
    record = prepare_container(harbour.engine, "web")
    assert record.state.run is not None
    assert record.state.run.init is not None
    os.kill(record.state.run.init.pid, signal.SIGKILL)
    harbour.settled("web")
    assert harbour.status("web").status == "created"
    with pytest.raises(Conflict):
        release_container(harbour.engine, "web")
    harbour.start("web")
    assert harbour.status("web").status == "running"


# Names, restart, wait


def test_rename_while_running(harbour: Harbour) -> None:
    before = harbour.start("web", *SLEEP)
    pid = harbour.status("web").pid
    assert rename_container(harbour.engine, "web", "shop").id == before.id
    assert (harbour.status("shop").pid, harbour.exists("web")) == (pid, False)
    assert rename_container(harbour.engine, "shop", "shop").name == "shop"
    stop_container(harbour.engine, "shop", timeout=0)


def test_restart(harbour: Harbour) -> None:
    harbour.start("web", *OBEDIENT)
    ready(harbour, "web")
    before = harbour.status("web")
    restart_container(harbour.engine, "web")
    after = harbour.status("web")
    assert (after.status, after.pid == before.pid) == ("running", False)
    assert after.started_at > before.started_at
    assert harbour.record("web").state.exit is not None
    stop_container(harbour.engine, "web", timeout=0)
    restart_container(harbour.engine, "web")
    assert harbour.status("web").status == "running"


def test_wait_has_its_time(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    with pytest.raises(TimedOut, match=r"wait for container web: it has not ended after 0\.1 s"):
        wait_container(harbour.engine, "web", timeout=0.1)


# Removal by itself


def test_auto_remove(harbour: Harbour) -> None:
    record = harbour.start("job", "true", auto_remove=True)
    wait_until(lambda: harbour.exists("job"), lambda there: not there)
    wait_until(lambda: os.path.exists(harbour.paths.container(record.id)), lambda there: not there)


def test_auto_remove_is_left_to_who_waits(harbour: Harbour) -> None:
    harbour.create("job", "sh", "-c", "echo out; exit 3", auto_remove=True)
    start_container(harbour.engine, "job", awaited=True)
    assert wait_container(harbour.engine, "job") == 3
    assert harbour.output("job") == "out\n"
    remove_container(harbour.engine, "job")


def test_auto_remove_when_who_waited_is_dead(harbour: Harbour) -> None:
    harbour.create("job", "sleep", "0.3", auto_remove=True)
    done = harbour.run_python("verb('start_container')(engine, 'job', awaited=True)")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: harbour.exists("job"), lambda there: not there)
