# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whoever dies: conmon, the container, both, the exit handler, the host. What is said afterwards is true."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import ContainerRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import (
    rfc3339,
    run_directory,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import (
    ProcessIdentity,
    identity,
    is_alive,
    signal_process,
    wait_until_gone,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.handle_exit import handle_exit
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.prepare_container import (
    prepare_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.repair_container import (
    repair_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.start_container import (
    start_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

SLEEP = ("sleep", "1000")


def processes(record: ContainerRecord) -> tuple[ProcessIdentity, ProcessIdentity]:
    run = record.state.run
    assert run is not None
    assert run.conmon is not None
    assert run.init is not None
    return run.conmon, run.init


def kill(process: ProcessIdentity) -> None:
    assert signal_process(process, signal.SIGKILL)
    assert wait_until_gone(process, 10)


# conmon


@pytest.fixture
def orphan(harbour: Harbour) -> ContainerRecord:
    """A container whose conmon was killed."""
    record = harbour.start("web", *SLEEP)
    kill(processes(record)[0])
    return record


def test_killed_conmon_is_told(harbour: Harbour, orphan: ContainerRecord) -> None:
    status = harbour.status("web")
    assert (status.status, status.pid) == ("running", processes(orphan)[1].pid)
    assert status.unsupervised
    assert status.error.startswith("conmon was killed")


def test_killed_conmon_is_repaired(harbour: Harbour, orphan: ContainerRecord) -> None:
    repaired = repair_container(harbour.engine, "web")
    assert repaired is not None
    assert not is_alive(processes(orphan)[1])
    status = harbour.status("web")
    assert (status.status, status.exit_code, status.error) == ("exited", 255, "conmon was killed")
    assert status.finished_at > status.started_at
    assert mounts.mounts_below(harbour.paths.root) == []


def test_killed_conmon_and_restart_policy(harbour: Harbour) -> None:
    record = harbour.start("web", *SLEEP, restart_policy="always")
    kill(processes(record)[0])
    repair_container(harbour.engine, "web")
    status = harbour.status("web")
    assert (status.status, status.unsupervised, status.error) == ("running", False, "")
    state = harbour.record("web").state
    assert state.restart_count == 1
    assert state.exit is not None
    assert state.exit.code == 255


@pytest.mark.parametrize("verb", [start_container, stop_container, remove_container])
def test_every_verb_copes_with_a_killed_conmon(
    harbour: Harbour, orphan: ContainerRecord, verb: object
) -> None:
    assert callable(verb)
    verb(harbour.engine, "web")
    assert not is_alive(processes(orphan)[1])
    if verb is start_container:
        assert not harbour.status("web").unsupervised


def test_both_killed(harbour: Harbour, orphan: ContainerRecord) -> None:
    kill(processes(orphan)[1])
    status = harbour.status("web")
    assert (status.status, status.exit_code, status.error) == ("exited", 255, "conmon was killed")
    assert status.finished_at >= status.started_at > ""
    stop_container(harbour.engine, "web")
    settled = harbour.record("web").state.exit
    assert settled is not None
    assert settled.finished_at == status.finished_at
    harbour.start("web")
    assert harbour.status("web").status == "running"


def test_both_killed_some_time_after_the_last_word(harbour: Harbour) -> None:
    record = harbour.start("web", "sh", "-c", "sleep 0.3; echo last; exec sleep 1000")
    wait_until(lambda: harbour.output("web"), lambda said: said == "last\n")
    log = os.path.join(harbour.paths.container(record.id), "ctr.log")
    spoke = rfc3339(os.stat(log).st_mtime_ns)
    for process in processes(record):
        kill(process)
    status = harbour.status("web")
    assert status.started_at < status.finished_at == spoke


def test_killed_before_it_was_started(harbour: Harbour) -> None:
    """Both processes of a prepared container: it has never run, so it has no exit code."""
    harbour.create("web", *SLEEP)
    for process in processes(prepare_container(harbour.engine, "web")):
        kill(process)
    assert harbour.status("web").status == "created"
    harbour.start("web")


# The exit handler


def test_late_handler_of_another_run(harbour: Harbour) -> None:
    record = harbour.start("web", *SLEEP)
    handle_exit(harbour.engine, record.id, "0123456789abcdef")
    handle_exit(harbour.engine, "f" * 64, "0123456789abcdef")
    assert harbour.status("web").status == "running"


def test_killed_handler(harbour: Harbour) -> None:
    """The exit file is still there: code and time are those of the container."""
    record = harbour.start("web", "sh", "-c", "sleep 0.2; exit 6", restart_policy="no")
    conmon, init = processes(record)
    with lock(harbour.paths, f"container-{record.id}"):
        status = harbour.wait_for("web", "exited")
        assert status.exit_code == 6
        handler = wait_until(lambda: [pid for pid in _children(conmon.pid) if pid != init.pid], bool)[0]
        os.kill(handler, signal.SIGKILL)
        assert wait_until_gone(conmon, 10)
    assert harbour.record("web").state.run is not None
    assert harbour.status("web") == status
    stop_container(harbour.engine, "web")
    assert harbour.record("web").state.run is None
    assert harbour.status("web") == status


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def test_nobody_waits_for_a_handler_that_wants_the_lock(harbour: Harbour) -> None:
    """The remover holds the lock and waits for conmon, conmon for the handler, the handler looks at the
    record.
    """
    harbour.start("web", "sleep", "0.2")
    remove_container(harbour.engine, "web")
    harbour.start("web", "sleep", "0.05")
    remove_container(harbour.engine, "web")


def test_exit_file_without_a_number_is_not_believed(harbour: Harbour) -> None:
    record = harbour.start("web", *SLEEP)
    run = record.state.run
    assert run is not None
    file = pathlib.Path(run_directory(harbour.paths, record.id, run.nonce), "exit", record.id)
    for content in ("", "abc", "\0\0"):
        file.write_text(content)
        assert harbour.status("web").status == "running"
    file.unlink()


# The host


@pytest.fixture
def other_boot(harbour: Harbour) -> list[str]:
    """Prefix for a command that sees the boot id of another boot."""
    path = pathlib.Path(harbour.paths.root, "boot_id")
    path.write_text("00000000-1111-2222-3333-444444444444\n")
    mount = f"mount --bind {path} /proc/sys/kernel/random/boot_id"
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mount} && exec "$@"', "sh"]


LOOK = """
find_container = load("container.records").find_container
status = load("container.status").observe(engine, find_container(engine.records, "web"))
print(status.status, status.exit_code, status.pid, status.error, sep="|")
"""
START = "verb('start_container')(engine, 'web')"


def test_reboot(harbour: Harbour, other_boot: list[str]) -> None:
    """Without one: the processes are killed and the run root goes, as a reboot would have it."""
    record = harbour.start("web", *SLEEP)
    seen = subprocess.run(
        [*other_boot, *harbour.python(LOOK)], capture_output=True, text=True, check=True, timeout=60
    )
    assert seen.stdout.strip() == "exited|255|0|the host was restarted"
    assert harbour.status("web").status == "running"

    assert processes(record)
    for pid in cgroups.processes(harbour.paths.cgroup_parent):
        kill(identity(pid) or ProcessIdentity(pid, 0))
    mounts.unmount_below(harbour.paths.root)
    cgroups.remove(harbour.paths.cgroup_parent)
    subprocess.run(["rm", "-r", harbour.paths.run_root], check=True)
    start = harbour.python(START + LOOK)
    started = subprocess.run([*other_boot, *start], capture_output=True, text=True, check=True, timeout=60)
    assert started.stdout.split("|")[0] == "running"
    state = harbour.record("web").state
    assert state.exit is not None
    assert (state.exit.code, state.exit.error) == (255, "the host was restarted")


def test_reboot_while_it_was_being_started(harbour: Harbour, other_boot: list[str]) -> None:
    harbour.create("web", *SLEEP)
    prepare_container(harbour.engine, "web")
    seen = subprocess.run(
        [*other_boot, *harbour.python(LOOK)], capture_output=True, text=True, check=True, timeout=60
    )
    assert seen.stdout.strip() == "created|0|0|"


def test_pid_of_somebody_else_is_not_believed(harbour: Harbour) -> None:
    """The record's processes are gone and their numbers belong to others: nobody is killed, nothing runs."""
    record = harbour.start("web", *SLEEP)
    conmon, init = processes(record)
    kill(conmon)
    kill(init)
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        run = record.state.run
        assert run is not None
        wrong = ProcessIdentity(stranger.pid, 12345)
        record.state.run = run._replace(conmon=wrong, init=wrong)
        with harbour.engine.database.transaction() as transaction:
            from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
                save_state,
            )

            save_state(transaction, record)
        assert harbour.status("web").status == "exited"
        stop_container(harbour.engine, "web", timeout=0)
        assert stranger.poll() is None
        stranger.kill()
