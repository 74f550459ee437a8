# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Pause a container (the freezer stops its processes where they are), and let it go on."""

from __future__ import annotations

import typing as t

from ..container.oci_runtime import find_runtime
from ..container.status import group_of, living_processes
from ..errors import Conflict
from ..linux import cgroups
from .history import note_container
from .locked_container import acting, locked_container
from .settle_run import run_is_prepared, runtime_of, settle_run

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def pause_container(engine: Engine, name: str) -> ContainerRecord:
    """Fine if it is paused already; Conflict if it does not run."""
    with acting(engine, "pause", name) as found:
        return _freeze(engine, found.id, frozen=True)


def resume_container(engine: Engine, name: str) -> ContainerRecord:
    """Fine if it is not paused; Conflict if it does not run."""
    with acting(engine, "resume", name) as found:
        return _freeze(engine, found.id, frozen=False)


def _freeze(engine: Engine, container_id: str, *, frozen: bool) -> ContainerRecord:
    with locked_container(engine, container_id) as record:
        settle_run(engine, record)
        if living_processes(engine.paths, record).init is None or run_is_prepared(engine, record):
            raise Conflict("it is not running")
        if cgroups.is_frozen(group_of(engine.paths, record)) != frozen:
            runtime = find_runtime(engine.paths, runtime_of(engine, record))
            (runtime.pause if frozen else runtime.resume)(record.id)
            note_container(engine, "pause" if frozen else "unpause", record)
        return record
