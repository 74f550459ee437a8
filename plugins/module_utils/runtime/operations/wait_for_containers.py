# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Wait until containers are where somebody wants them, without holding any of them up.

Between two looks we sleep 10 ms at first and a quarter of a second later on; the end of a container wakes us
at once, through a pidfd. A name is looked up anew each time: a container may be replaced while we wait.
"""

from __future__ import annotations

import os
import re
import select
import time
import typing as t

from ..container.log_lines import LogQuery, read_lines
from ..container.log_values import check_readable
from ..container.logs import begin_of_last_run
from ..container.records import find_container
from ..container.status import Status, living_processes, observe
from ..errors import Conflict, NotFound, RuntimeFailure, TimedOut
from ..linux.processes import open_pidfd

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine

Goal = t.Literal["running", "healthy", "exited", "removed", "line"]
_SHORTEST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.01, 0.25, 1.5  # seconds, and by how much a pause grows
_LAST_LINES, _LONGEST_LINE = 5, 300
_HAS_ENDED = ("exited", "dead")


class Want(t.NamedTuple):
    """`exit_codes`: with the goal `exited`, the codes that are fine; None: any. `line`: what is searched for
    in the lines of the present run.
    """

    goal: Goal
    exit_codes: t.Collection[int] | None = None
    line: re.Pattern[bytes] | None = None


class Reached(t.NamedTuple):
    """Where a container stood when it was where it should be. `exit_code` is None unless it has ended;
    `line` is the one that was waited for.
    """

    name: str
    status: str
    exit_code: int | None = None
    line: str | None = None


def wait_for_containers(
    engine: Engine, names: t.Sequence[str], want: Want, timeout: float | None
) -> list[Reached]:
    """One for each name, in their order. TimedOut after `timeout` seconds, and an error at once for what
    cannot come true any more; both say of each container where it stands.
    """
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    waiting = {name: _Waiting(engine, name, want) for name in names}
    pause = _SHORTEST_PAUSE
    while True:
        undecided = [each for each in waiting.values() if each.look() is None]
        if not undecided:
            return [each.reached for each in waiting.values() if each.reached]
        left = deadline - time.monotonic()
        if left <= 0:
            what = _GOALS[want.goal]
            raise TimedOut(
                f"not {what} after {timeout:g} s: {'; '.join(each.describe() for each in undecided)}",
                containers={name: each.facts() for name, each in waiting.items()},
            )
        if _sleep(undecided, min(pause, left)):
            pause = _SHORTEST_PAUSE
        else:
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)


_GOALS = {
    "running": "running",
    "healthy": "healthy",
    "exited": "ended",
    "removed": "removed",
    "line": "in the log",
}


class _Waiting:
    """One container, and what was found out about it."""

    def __init__(self, engine: Engine, name: str, want: Want) -> None:
        self.reached: Reached | None = None
        self.status: Status | None = None
        self.record: ContainerRecord | None = None
        self._engine = engine
        self._name = name
        self._want = want
        self._run_seen = False
        self._searched_until = ""

    def look(self) -> Reached | None:
        """What was reached, once it is. Raises what makes further waiting useless."""
        if self.reached is not None:
            return self.reached
        self.record = find_container(self._engine.records, self._name)
        self.status = observe(self._engine, self.record) if self.record else None
        if self.status is not None and self.status.status == "removing":
            self.status = self.record = None
        self._run_seen = self._run_seen or bool(self.status and self.status.alive)
        self.reached = getattr(self, f"_{self._want.goal}")()
        return self.reached

    def _reach(self, code: int | None = None, line: str | None = None) -> Reached:
        return Reached(self._name, self.status.status if self.status else "removed", code, line)

    def _removed(self) -> Reached | None:
        return self._reach() if self.record is None else None

    def _running(self) -> Reached | None:
        return self._reach() if self.status and self.status.status == "running" else None

    def _exited(self) -> Reached | None:
        if self.status is None:
            return self._vanished()
        if self.status.status not in _HAS_ENDED:
            return None
        code = self.status.exit_code
        if self._want.exit_codes is not None and code not in self._want.exit_codes:
            raise RuntimeFailure(
                f"container {self._name} ended with code {code}{self._last_lines()}",
                containers={self._name: self.facts()},
            )
        return self._reach(code)

    def _vanished(self) -> Reached:
        if not self._run_seen:
            raise NotFound(f"there is no container {self._name}")
        if self._want.exit_codes is not None:
            raise RuntimeFailure(
                f"container {self._name} was removed when it ended, its code is not known",
                "leave out `auto_remove` where codes matter",
            )
        return self._reach()

    def _healthy(self) -> Reached | None:
        if self.status is None or not self.status.alive:
            self._give_up_if_ended("healthy")
            return None
        from ..container.health import HEALTHY, UNHEALTHY, health_of

        health = health_of(self._engine.paths, t.cast("t.Any", self.record))
        if health is None:
            raise Conflict(
                f"container {self._name} has no health check",
                "wait for state running, or for a line of its log",
            )
        if health.status == UNHEALTHY:
            raise RuntimeFailure(
                f"container {self._name} is unhealthy: {health.last_output or 'its probe says nothing'}",
                containers={self._name: self.facts()},
            )
        return self._reach() if health.status == HEALTHY else None

    def _line(self) -> Reached | None:
        if self.record is None or self.status is None:
            return None
        check_readable(self.record)
        newest, _truncated = read_lines(self._engine.paths, self.record.id, LogQuery(tail=1))
        query = LogQuery(
            tail=1,
            since=max(begin_of_last_run(self.record), self._searched_until),
            pattern=self._want.line,
        )
        lines, _truncated = read_lines(self._engine.paths, self.record.id, query)
        if lines:
            return self._reach(line=lines[0].text.decode("utf-8", "replace"))
        if not living_processes(self._engine.paths, self.record).conmon:
            self._give_up_if_ended("in its log")
        self._searched_until = newest[0].time if newest else ""
        return None

    def _give_up_if_ended(self, goal: str) -> None:
        """It may have ended long ago and be started soon; but what we saw run has had its time."""
        if self._run_seen and self.status is not None and self.status.status in _HAS_ENDED:
            raise RuntimeFailure(
                f"container {self._name} ended with code {self.status.exit_code}"
                f" before it was {goal}{self._last_lines()}",
                containers={self._name: self.facts()},
            )

    # Words for failures

    def describe(self) -> str:
        if self.status is None:
            return f"{self._name}: there is no such container"
        ended = f" with code {self.status.exit_code}" if self.status.status in _HAS_ENDED else ""
        return f"{self._name}: {self.status.status}{ended}{self._last_lines()}"

    def facts(self) -> dict[str, t.Any]:
        if self.status is None:
            return {"status": "removed", "exit_code": None, "last_lines": []}
        ended = self.status.status in _HAS_ENDED
        return {
            "status": self.status.status,
            "exit_code": self.status.exit_code if ended else None,
            "last_lines": self._tail(),
        }

    def _last_lines(self) -> str:
        lines = self._tail()
        return f"; last lines: {' | '.join(lines)}" if lines else ""

    def _tail(self) -> list[str]:
        if self.record is None:
            return []
        query = LogQuery(tail=_LAST_LINES, since=begin_of_last_run(self.record))
        lines, _truncated = read_lines(self._engine.paths, self.record.id, query)
        texts = (line.text[:_LONGEST_LINE].decode("utf-8", "replace").rstrip("\r") for line in lines)
        return ["".join(char if char.isprintable() else "?" for char in text) for text in texts]

    def pidfd(self) -> int | None:
        """Readable when the present run ends, if there is one."""
        if self.record is None:
            return None
        processes = living_processes(self._engine.paths, self.record)
        process = processes.init or processes.conmon
        return open_pidfd(process) if process else None


def _sleep(waiting: t.Sequence[_Waiting], seconds: float) -> bool:
    """At most so long; True if one of the containers has ended meanwhile."""
    pidfds = [fd for fd in (each.pidfd() for each in waiting) if fd is not None]
    try:
        poll = select.poll()
        for fd in pidfds:
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        for fd in pidfds:
            os.close(fd)
