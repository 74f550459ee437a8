# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for containers: how fast it ends, what makes it end early, and what it says then."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    NotFound,
    RuntimeFailure,
    TimedOut,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.kill_container import (
    kill_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_for_containers import (
    Reached,
    Want,
    wait_for_containers,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour


def wait(
    harbour: Harbour, *names: str, goal: t.Any = "exited", timeout: float = 20, **want: t.Any
) -> list[Reached]:
    return wait_for_containers(harbour.engine, names, Want(goal, **want), timeout)


@contextlib.contextmanager
def soon(seconds: float, action: t.Callable[[], object]) -> t.Iterator[list[float]]:
    """Do something in a moment; when it began is in the list afterwards."""
    began: list[float] = []

    def act() -> None:
        time.sleep(seconds)
        began.append(time.monotonic())
        action()

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield began
    finally:
        thread.join()


def test_several_that_end(harbour: Harbour) -> None:
    harbour.start("one", "sh", "-c", "sleep 0.3; exit 3")
    harbour.start("two", "sh", "-c", "sleep 0.1")
    assert wait(harbour, "one", "two") == [Reached("one", "exited", 3), Reached("two", "exited", 0)]


def test_end_is_noticed_at_once(harbour: Harbour) -> None:
    harbour.start("job", "sleep", "1000")
    with soon(1.5, lambda: kill_container(harbour.engine, "job", "KILL")) as began:
        assert wait(harbour, "job") == [Reached("job", "exited", 137)]
        ended = time.monotonic()
    assert ended - began[0] < 3


def test_wrong_code(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "echo before; echo it broke >&2; exit 4")
    with pytest.raises(
        RuntimeFailure, match=r"job ended with code 4; last lines: before \| it broke"
    ) as caught:
        wait(harbour, "job", exit_codes=[0])
    facts = caught.value.facts["containers"]["job"]
    assert facts == {"status": "exited", "exit_code": 4, "last_lines": ["before", "it broke"]}


def test_timeout_says_where_everybody_stands(harbour: Harbour) -> None:
    harbour.start("busy", "sh", "-c", "echo working; sleep 1000")
    harbour.start("done", "true")
    harbour.create("idle", "true")
    wait(harbour, "busy", goal="line", line=re.compile(b"working"))
    wait(harbour, "done")
    with pytest.raises(TimedOut) as caught:
        wait(harbour, "busy", "done", "idle", timeout=0.3)
    assert str(caught.value) == "not ended after 0.3 s: busy: running; last lines: working; idle: created"
    assert caught.value.facts["containers"]["done"]["exit_code"] == 0


def test_running_and_removed(harbour: Harbour) -> None:
    with soon(0.3, lambda: harbour.start("late", "sleep", "1000")):
        assert wait(harbour, "late", goal="running") == [Reached("late", "running")]
    with soon(0.3, lambda: remove_container(harbour.engine, "late")):
        assert wait(harbour, "late", goal="removed") == [Reached("late", "removed")]


def test_a_line(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "echo old; sleep 0.3; echo now ready; sleep 1000")
    [reached] = wait(harbour, "job", goal="line", line=re.compile(b"read[y]$"))
    assert (reached.status, reached.line) == ("running", "now ready")


def test_a_line_of_this_run(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "sleep 0.2; echo ready")
    assert wait(harbour, "job", goal="line", line=re.compile(b"ready"))
    wait(harbour, "job")
    harbour.start("job")
    began = time.monotonic()
    assert wait(harbour, "job", goal="line", line=re.compile(b"ready"))
    assert time.monotonic() - began > 0.1


def test_a_line_that_cannot_come(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "sleep 2; echo gave up; exit 1")
    with pytest.raises(
        RuntimeFailure, match="ended with code 1 before it was in its log; last lines: gave up"
    ):
        wait(harbour, "job", goal="line", line=re.compile(b"ready"))


def test_what_makes_no_sense(harbour: Harbour) -> None:
    harbour.start("job", "sleep", "1000")
    with pytest.raises(NotFound, match="there is no container nobody"):
        wait(harbour, "nobody")
    with pytest.raises(Conflict, match="job has no health check"):
        wait(harbour, "job", goal="healthy")


def test_gone_with_its_end(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "sleep 2; exit 2", auto_remove=True)
    [reached] = wait(harbour, "job")
    assert reached.name == "job"
    assert reached.exit_code in (2, None)


def test_restarts_are_waited_out(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "exit 6", restart_policy="on-failure", restart_retries=2)
    assert wait(harbour, "job") == [Reached("job", "exited", 6)]
    assert harbour.record("job").state.restart_count == 2


def test_takes_no_lock(harbour: Harbour) -> None:
    record = harbour.start("job", "sh", "-c", "echo here; sleep 1000")
    with lock(harbour.paths, f"container-{record.id}"):
        assert wait(harbour, "job", goal="running")
        assert wait(harbour, "job", goal="line", line=re.compile(b"here"))
