# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Remove a container that nobody needs: it does not run, is in nobody's hands, and carries no other one."""

from __future__ import annotations

import contextlib
import typing as t

from ..container.records import ContainerRecord, find_container, is_hidden
from ..container.sharing import needed_containers
from ..container.status import observe
from ..errors import Conflict, StateError, TimedOut, doing
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
            status = observe(engine, fresh).status
            reason = why_needed(fresh, status, _dependants(engine, fresh))
            if reason:
                raise Conflict(reason)
            return remove(engine, fresh)
    except TimedOut:
        raise Conflict("another task is working with it") from None


def why_needed(record: ContainerRecord, status: str, dependants: t.Iterable[ContainerRecord]) -> str:
    """Why a container cannot go; empty if it can. `dependants` are those that stay of who `depends_on` it."""
    if status not in AT_REST:
        return f"it is {status}"
    if is_hidden(record.name) or record.state.replaces is not None:
        return "it is one half of a replacement"
    if record.state.kept_since:
        return "it is kept for a rollback"
    awaited_by = record.state.awaited_by
    if awaited_by is not None and is_alive(awaited_by):
        return "a task waits for its output"
    for other in dependants:
        if other.state.replaces is not None:
            return "it is being replaced"
        return f"container {other.name} shares its network, processes or memory"
    return ""


def depends_on(record: ContainerRecord) -> set[str]:
    """Names of the containers that it needs, and the id of the one that it replaces."""
    found = set(needed_containers(record.config))
    return found | {record.state.replaces.container_id} if record.state.replaces else found


def _dependants(engine: Engine, record: ContainerRecord) -> list[ContainerRecord]:
    """Only records that have its name or id somewhere in them are read: there may be a thousand others."""
    rows = engine.records.read().all(
        "SELECT id FROM containers"
        " WHERE id != ? AND (instr(config, ?) OR instr(config, ?) OR instr(state, ?))",
        (record.id, f"container:{record.name}", f'"{record.name}"', record.id),
    )
    found = []
    for row in rows:
        with contextlib.suppress(StateError):
            other = find_container(engine.records, row["id"])
            found += [other] if other and depends_on(other).intersection((record.name, record.id)) else []
    return found


def container_bytes(engine: Engine, container_id: str) -> int:
    """What a container has written, with its log: what its removal frees."""
    directory = engine.paths.container(container_id)
    return tree_size(f"{directory}/upper") + log_bytes(engine, container_id)


def log_bytes(engine: Engine, container_id: str) -> int:
    from ..container import log_segments

    numbers = log_segments.numbers(engine.paths, container_id)
    segments = [log_segments.segment(engine.paths, container_id, number) for number in numbers]
    return sum(map(tree_size, (*segments, log_segments.begun_segment(engine.paths, container_id))))
