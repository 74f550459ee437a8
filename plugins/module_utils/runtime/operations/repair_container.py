# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Put right what a crash, a killed conmon or a killed exit handler has left of a container."""

from __future__ import annotations

import os
import typing as t

from ..container.config import ContainerConfig
from ..container.records import REMOVING, ContainerRecord
from ..container.status import is_restarting
from ..errors import NotFound
from ..linux.processes import identity
from ..linux.trees import remove_tree
from .apply_limits import apply_limits, limits_to_apply
from .handle_exit import is_shutting_down, restart_now
from .locked_container import acting, locked_container, save
from .remove_container import remove
from .rewire_container import settle_wiring
from .settle_run import settle_run

if t.TYPE_CHECKING:
    from ..engine import Engine


def repair_container(engine: Engine, name: str) -> ContainerRecord | None:
    """The record, at rest or running under a conmon of its own; None if there is no container (any more).

    A removal that was begun is finished, and so is a change of networks or limits. A container that lost its
    conmon is ended (nobody would see its exit code), and what its restart policy says is done at once: the
    time since has been pause enough.
    """
    try:
        with acting(engine, "repair", name) as found:
            return _repair(engine, found.id)
    except NotFound:
        return None


def _repair(engine: Engine, container_id: str) -> ContainerRecord | None:
    with locked_container(engine, container_id) as record:
        if record.state.phase != REMOVING:
            settle_run(engine, record, identity(os.getpid()))
            if _is_ours_to_restart(engine, record):
                restart_now(engine, record)
            elif record.state.run is not None:
                _finish_update(engine, record)
            return record
        trashed = remove(engine, record)
    for tree in trashed:
        remove_tree(tree)
    return None


def _finish_update(engine: Engine, record: ContainerRecord) -> None:
    if record.state.resizing is not None:
        before = ContainerConfig.from_json(record.state.resizing)
        apply_limits(engine, record, limits_to_apply(engine, record, before))
        record.state.resizing = None
        save(engine, record)
    if record.state.rewiring is not None:
        settle_wiring(engine, record)


def _is_ours_to_restart(engine: Engine, record: ContainerRecord) -> bool:
    """A restart that we have just decided, or one that nobody waits to carry out."""
    restart = record.state.restart
    if restart is None or record.state.run is not None or is_shutting_down(engine):
        return False
    return restart.process.pid == os.getpid() or not is_restarting(record)
