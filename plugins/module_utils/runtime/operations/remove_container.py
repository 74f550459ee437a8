# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Remove a container, from whatever state a user or a crash has left it in.

record: phase removing     from here on nothing but this can happen to it, and the next writer finishes it
processes, groups, mounts  as at any end of a run
directory → trash          one rename; unlinked when the lock is released
record gone                with its claims on volumes
"""

from __future__ import annotations

import os
import typing as t

from ..container import log_segments
from ..container.records import REMOVING, ContainerRecord, delete_container, find_remains
from ..container.status import living_processes
from ..errors import Conflict
from ..linux import cgroups
from ..linux.locks import forget_lock
from ..linux.processes import wait_until_gone
from ..linux.trees import move_to_trash, remove_tree
from ..volume.records import containers_using, remove_volume, volumes_of
from .clear_idle_host import clear_idle_host
from .history import note_container
from .locked_container import acting, locked_container, save
from .settle_run import clear_run
from .stop_container import cancel_restart

if t.TYPE_CHECKING:
    from ..engine import Engine

_CONMON_TIMEOUT = 30.0


def remove_container(engine: Engine, name: str, *, force: bool = True, volumes: bool = False) -> None:
    """Kill the container if it runs (`force`, else Conflict) and remove it; with its anonymous volumes if
    `volumes`.

    NotFound if there is none.
    """
    with acting(engine, "remove", name, find=find_remains) as found:
        with locked_container(engine, found.id, find=find_remains) as record:
            if not force and living_processes(engine.paths, record).init:
                raise Conflict("it is running", "stop it first")
            trashed = remove(engine, record, volumes=volumes)
        for tree in trashed:
            remove_tree(tree)


def remove(engine: Engine, record: ContainerRecord, *, volumes: bool = False, wait: bool = True) -> list[str]:
    """The same with the lock held; returns the trees in the trash that are left to unlink when it is
    released. A removal that was begun is finished as it was meant.

    `wait` false: called by the exit handler, for which conmon waits in turn.
    """
    cgroups.layout()  # where they cannot be seen, nothing is begun that could not be finished
    paths = engine.paths
    conmon = living_processes(paths, record).conmon
    cancel_restart(record)
    record.state.phase = REMOVING
    record.state.takes_volumes |= volumes or bool(record.config.auto_remove)
    save(engine, record)
    clear_run(engine, record)
    if wait:
        if conmon is not None:
            wait_until_gone(conmon, _CONMON_TIMEOUT)
        # Before the record goes: it is what brings the next writer here if we are killed.
        clear_idle_host(engine)
    trashed = []
    if os.path.isdir(paths.container(record.id)):
        trashed.append(move_to_trash(paths, paths.container(record.id)))
    log_segments.discard(paths, record.id)
    with engine.database.transaction() as transaction:
        anonymous = [volume.name for volume in volumes_of(transaction, record.id) if volume.anonymous]
        delete_container(transaction, record.id)
        for name in anonymous if record.state.takes_volumes else ():
            if not containers_using(transaction, name):
                trashed += filter(None, [remove_volume(transaction, paths, name)])
    forget_lock(paths, f"container-{record.id}")
    note_container(engine, "destroy", record)
    return trashed
