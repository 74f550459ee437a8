# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The lines of a container's log, and those that come: until the container has ended, or was removed.

A container that its policy will start again has not ended. Nothing is locked, and nothing is missed: the
processes of the run are looked at before the log is read for the last time.
"""

from __future__ import annotations

import collections
import os
import select
import time
import typing as t

from ..container.log_follower import LogFollower
from ..container.log_lines import LineJoiner, LogLine, LogQuery
from ..container.records import find_container
from ..container.status import living_processes, observe
from ..linux.processes import now, open_pidfd

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.2  # seconds between two looks while nothing comes


def follow_logs(engine: Engine, record: ContainerRecord, query: LogQuery) -> t.Iterator[LogLine]:
    """`tail` counts the lines that are there already. Ends at `until`, too."""
    with LogFollower(engine.paths, record.id) as follower:
        joiner = LineJoiner()
        is_over = _is_over(engine, record.id, query)
        there = collections.deque(_accepted(follower, joiner, query), query.tail)
        if is_over:
            there.extend(filter(query.accepts, joiner.rest()))
        while there:
            yield there.popleft()
        pause = _SHORTEST_PAUSE
        while not is_over:
            _wait(engine, record.id, pause)
            is_over = _is_over(engine, record.id, query)
            pause = min(2 * pause, _LONGEST_PAUSE)
            for line in _accepted(follower, joiner, query):
                pause = _SHORTEST_PAUSE
                yield line
        yield from filter(query.accepts, joiner.rest())


def _accepted(follower: LogFollower, joiner: LineJoiner, query: LogQuery) -> t.Iterator[LogLine]:
    for piece in follower.read():
        line = joiner.add(piece)
        if line is not None and query.accepts(line):
            yield line


def _is_over(engine: Engine, container_id: str, query: LogQuery) -> bool:
    return (query.until != "" and now() > query.until) or _has_ended(engine, container_id)


def _has_ended(engine: Engine, container_id: str) -> bool:
    """Also when it was never started. Without conmon nobody writes any more."""
    record = find_container(engine.records, container_id)
    if record is None:
        return True
    status = observe(engine, record)
    return (
        not status.alive
        and status.status != "restarting"
        and not living_processes(engine.paths, record).conmon
    )


def _wait(engine: Engine, container_id: str, seconds: float) -> None:
    """Sleep, but not past the end of the container."""
    record = find_container(engine.records, container_id)
    conmon = living_processes(engine.paths, record).conmon if record else None
    pidfd = open_pidfd(conmon) if conmon else None
    if pidfd is None:
        return time.sleep(seconds)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(seconds * 1000)
    finally:
        os.close(pidfd)
    return None
