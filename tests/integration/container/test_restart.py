# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Restart policies, kept without a daemon: counts, pauses, and the word of the user."""

from __future__ import annotations

import os
import signal
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import restart_policy
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.handle_exit import (
    shutdown_mark,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.repair_container import (
    repair_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.restore_containers import (
    restore_containers,
    shut_down_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

COUNT = "echo run >> /runs; test $(wc -l < /runs) -ge {} && exec sleep 1000; exit {}"


def counting(times: int, code: int) -> tuple[str, str, str]:
    """Ends at once with `code`, until the run number `times`, which stays up."""
    return ("sh", "-c", COUNT.format(times, code))


def runs(harbour: Harbour, name: str) -> int:
    path = os.path.join(harbour.paths.container(harbour.record(name).id), "upper", "runs")
    with open(path, encoding="ascii") as file:
        return len(file.readlines())


@pytest.mark.parametrize(("policy", "code"), [("always", 0), ("unless-stopped", 3), ("on-failure", 3)])
def test_restarted_until_it_stays_up(harbour: Harbour, policy: str, code: int) -> None:
    harbour.start("web", *counting(3, code), restart_policy=policy)
    state = wait_until(
        lambda: harbour.record("web").state, lambda state: state.restart_count == 2 and not state.restart
    )
    assert harbour.status("web").status == "running"
    assert state.error == ""
    assert state.backoff == 2 * restart_policy.FIRST_PAUSE
    assert state.exit is not None
    assert state.exit.code == code
    assert wait_until(lambda: runs(harbour, "web"), lambda count: count >= 3) == 3


def test_on_failure_gives_up(harbour: Harbour) -> None:
    harbour.start("web", "sh", "-c", "exit 9", restart_policy="on-failure", restart_retries=2)
    wait_until(
        lambda: harbour.record("web").state, lambda state: state.restart_count == 2 and state.run is None
    )
    status = harbour.wait_for("web", "exited")
    assert status.exit_code == 9
    assert harbour.record("web").state.restart is None


@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_success_is_not_repeated(harbour: Harbour, policy: str) -> None:
    harbour.start("job", "true", restart_policy=policy)
    state = harbour.settled("job").state
    assert (state.restart, state.restart_count) == (None, 0)
    assert harbour.status("job").status == "exited"


def wait_for_a_long_pause(harbour: Harbour, name: str) -> None:
    """Until the handler sleeps for so long that there is time to look."""
    wait_until(
        lambda: harbour.record(name).state, lambda state: state.restart is not None and state.backoff >= 0.8
    )


def test_restarting_from_the_first_end_on(harbour: Harbour) -> None:
    """The exit file is there at once; the exit handler decides some hundredths of a second later."""
    record = harbour.start(
        "web", "sh", "-c", "sleep 0.3; exit 6", restart_policy="on-failure", restart_retries=1
    )
    with lock(harbour.paths, f"container-{record.id}"):
        status = harbour.wait_for("web", "restarting", "exited")
        assert (status.status, status.exit_code) == ("restarting", 6)
        assert harbour.record("web").state.restart is None
    wait_until(
        lambda: harbour.record("web").state, lambda state: state.restart_count == 1 and not state.restart
    )
    with lock(harbour.paths, f"container-{record.id}"):
        assert harbour.wait_for("web", "restarting", "exited").status == "exited"


def test_user_stops_what_is_restarting(harbour: Harbour) -> None:
    harbour.start("web", "false", restart_policy="always")
    wait_for_a_long_pause(harbour, "web")
    assert harbour.status("web").status == "restarting"
    stop_container(harbour.engine, "web")
    status = harbour.status("web")
    assert (status.status, status.exit_code) == ("exited", 1)
    state = harbour.record("web").state
    assert (state.restart, state.run, state.stopped_by_user) == (None, None, True)


def test_user_removes_or_starts_what_is_restarting(harbour: Harbour) -> None:
    harbour.start("web", *counting(5, 1), restart_policy="always")
    wait_for_a_long_pause(harbour, "web")
    harbour.start("web")
    state = harbour.record("web").state
    assert (state.restart_count, state.backoff, state.restart) == (0, 0.0, None)
    harbour.start("other", "false", restart_policy="always")
    wait_for_a_long_pause(harbour, "other")
    remove_container(harbour.engine, "other")
    assert not harbour.exists("other")


def test_user_stops_what_runs(harbour: Harbour) -> None:
    harbour.start("web", "sleep", "1000", restart_policy="always")
    stop_container(harbour.engine, "web", timeout=0)
    assert harbour.status("web").status == "exited"
    assert harbour.record("web").state.restart is None


def test_pause_starts_over_after_a_long_run(harbour: Harbour) -> None:
    """The clock is the time since the container's init was made; nobody waits ten seconds here."""
    assert restart_policy.next_pause(3.2, uptime=restart_policy.LONG_RUN) == restart_policy.FIRST_PAUSE
    assert restart_policy.next_pause(3.2, uptime=9.9) == 6.4
    assert restart_policy.next_pause(59.0, uptime=0.0) == restart_policy.LONGEST_PAUSE


def test_restart_that_cannot_start_is_tried_again(harbour: Harbour) -> None:
    """A start that fails is a failure: what is missing may come back."""
    harbour.start(
        "web", "sh", "-c", "mv /bin/sh /bin/hs; exit 4", restart_policy="on-failure", restart_retries=3
    )
    state = wait_until(
        lambda: harbour.record("web").state, lambda state: state.restart_count == 3 and not state.restart
    )
    assert "executable file `sh` not found" in state.error
    assert harbour.wait_for("web", "exited").exit_code == 4


# Who carries a restart out can be killed


def test_killed_handler_is_replaced_by_the_next_task(harbour: Harbour) -> None:
    harbour.start("web", *counting(5, 1), restart_policy="always")
    wait_for_a_long_pause(harbour, "web")
    restart = harbour.record("web").state.restart
    assert restart is not None
    os.kill(restart.process.pid, signal.SIGKILL)
    assert harbour.wait_for("web", "exited").exit_code == 1
    count = harbour.record("web").state.restart_count
    repaired = repair_container(harbour.engine, "web")
    assert repaired is not None
    assert repaired.state.restart_count == count + 1
    assert harbour.status("web").status == "running"


# Boot and shutdown


def test_shutdown_and_boot(harbour: Harbour) -> None:
    harbour.create("first", "sleep", "1000", restart_policy="unless-stopped", stop_timeout=0)
    harbour.create("second", "sleep", "1000", restart_policy="always", stop_timeout=0)
    harbour.create("plain", "sleep", "1000", stop_timeout=0)
    harbour.create("never-started", "sleep", "1000", restart_policy="always")
    harbour.create("stopped", "sleep", "1000", restart_policy="unless-stopped", stop_timeout=0)
    harbour.create("crashing", "false", restart_policy="always")
    for name in ("second", "first", "plain", "stopped", "crashing"):
        harbour.start(name)
    stop_container(harbour.engine, "stopped")
    wait_for_a_long_pause(harbour, "crashing")

    shut_down_containers(harbour.engine)
    ends = {name: harbour.status(name) for name in ("first", "second", "plain", "crashing")}
    assert {status.status for status in ends.values()} == {"exited"}
    assert ends["plain"].finished_at < ends["second"].finished_at < ends["first"].finished_at
    assert not harbour.record("first").state.stopped_by_user

    assert restore_containers(harbour.engine) == ["first", "second", "crashing"]
    assert not os.path.exists(shutdown_mark(harbour.engine))
    assert [harbour.status(name).status for name in ("first", "second")] == ["running", "running"]
    assert [harbour.status(name).status for name in ("plain", "stopped", "never-started")] == [
        "exited",
        "exited",
        "created",
    ]
    stop_container(harbour.engine, "second")
    assert restore_containers(harbour.engine) == []


def test_boot_tries_all_and_tells_what_failed(harbour: Harbour) -> None:
    script = "mv /bin/sh /bin/hs; exec sleep 1000"
    harbour.start("broken", "sh", "-c", script, restart_policy="always", stop_timeout=0)
    harbour.start("good", "sleep", "1000", restart_policy="always", stop_timeout=0)
    wait_until(lambda: os.path.lexists(_in_upper(harbour, "broken", "bin/hs")), bool)
    shut_down_containers(harbour.engine)
    done = harbour.run_python(
        "load('agent.main').main(['--root', engine_root, '--run-root', run_root, 'restore'])"
    )
    assert done.returncode == 1
    assert "start container broken: crun create: executable file `sh` not found" in done.stderr
    assert harbour.status("good").status == "running"


def _in_upper(harbour: Harbour, name: str, path: str) -> str:
    return os.path.join(harbour.paths.container(harbour.record(name).id), "upper", path)


def test_boot_with_no_engine_makes_none(engine_roots: t.Any) -> None:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine

    with Engine(engine_roots) as engine:
        assert restore_containers(engine) == []
        shut_down_containers(engine)
    assert not os.path.exists(engine_roots.root)
    assert not os.path.exists(engine_roots.run_root)
