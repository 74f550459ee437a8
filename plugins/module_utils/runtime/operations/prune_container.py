# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Remove a container that nobody needs: it does not run, is in nobody's hands, and carries no other one."""

from __future__ import annotations

import typing as t

from ..container.records import ContainerRecord, is_hidden, list_containers
from ..container.sharing import joined_containers
from ..container.status import observe
from ..errors import Conflict, TimedOut, doing
from ..linux.locks import lock
from ..linux.processes import is_alive
from ..linux.tree_size import tree_size
from ..linux.trees import remove_tree
from .lease import unleased
from .locked_container import locked_container
from .remove_container import remove

if t.TYPE_CHECKING:
    from ..engine import Engine

AT_REST = ("created", "exited", "removing")  # the last: somebody was killed while he removed it
_LOCK_TIMEOUT = 10.0  # seconds; whoever has the lock of a container at rest is about to change that


def prune_container(engine: Engine, record: ContainerRecord) -> None:
    """Conflict, with the reason, if somebody needs it by now; NotFound if somebody has removed it."""
    with doing(f"prune container {record.name}"):
        with unleased(engine, containers=[record.id, record.name]) as free:
            if not free:
                raise Conflict("a task is working with it")
            trashed = _remove(engine, record)
        for tree in trashed:
            remove_tree(tree)


def _remove(engine: Engine, record: ContainerRecord) -> list[str]:
    try:
        with (
            lock(engine.paths, f"replacement-{record.id}", timeout=0, fleeting=True),
            locked_container(engine, record.id, _LOCK_TIMEOUT) as fresh,
        ):
            reason = why_needed(engine, fresh, list_containers(engine.records, hidden=True, damaged=[]))
            if reason:
                raise Conflict(reason)
            return remove(engine, fresh)
    except TimedOut:
        raise Conflict("another task is working with it") from None


def why_needed(engine: Engine, record: ContainerRecord, others: t.Iterable[ContainerRecord]) -> str:
    """Why a container cannot go; empty if it can. `others` are those that stay, hidden ones included."""
    status = observe(engine, record).status
    if status not in AT_REST:
        return f"it is {status}"
    if is_hidden(record.name) or record.state.replaces is not None:
        return "it is one half of a replacement"
    awaited_by = record.state.awaited_by
    if awaited_by is not None and is_alive(awaited_by):
        return "a task waits for its output"
    for other in others:
        if other.state.replaces is not None and other.state.replaces.container_id == record.id:
            return "it is being replaced"
        if other.id != record.id and record.name in joined_containers(other.config).values():
            return f"container {other.name} shares its network, processes or memory"
    return ""


def container_bytes(engine: Engine, container_id: str) -> int:
    """What a container has written, with its log: what its removal frees."""
    directory = engine.paths.container(container_id)
    return tree_size(f"{directory}/upper") + log_bytes(engine, container_id)


def log_bytes(engine: Engine, container_id: str) -> int:
    from ..container import log_segments

    numbers = range(log_segments.SEGMENTS)
    segments = [log_segments.segment(engine.paths, container_id, number) for number in numbers]
    return sum(map(tree_size, (*segments, log_segments.begun_segment(engine.paths, container_id))))
