# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Wait for a container to end."""

from __future__ import annotations

import os
import time
import typing as t

from ..container.records import find_container
from ..container.status import living_processes, observe
from ..errors import NotFound, TimedOut
from ..linux.processes import identity, wait_until_gone
from .locked_container import acting, locked_container, save
from .settle_run import settle_run

if t.TYPE_CHECKING:
    from ..engine import Engine

_EVER = float("inf")
_LONGEST_WAIT = 3600.0  # seconds of one look; then the container is looked at again


def wait_container(engine: Engine, name: str, timeout: float | None = None) -> int:
    """The exit code of the run that goes on, or of the last one. TimedOut after `timeout` seconds.

    A container that removes itself is kept for us: whoever waited removes it when code and output are read.
    """
    deadline = time.monotonic() + (_EVER if timeout is None else timeout)
    with acting(engine, "wait for", name) as found:
        container_id = _announce(engine, found.id)
        while True:
            record = find_container(engine.records, container_id)
            if record is None:
                raise NotFound("it was removed meanwhile")
            processes = living_processes(engine.paths, record)
            process = processes.init or processes.conmon
            if process is None:
                return _code(engine, container_id)
            left = deadline - time.monotonic()
            if not wait_until_gone(process, min(left, _LONGEST_WAIT)) and left <= _LONGEST_WAIT:
                raise TimedOut(f"it has not ended after {timeout:g} s")


def _announce(engine: Engine, name: str) -> str:
    with locked_container(engine, name) as record:
        if record.config.auto_remove and record.state.awaited_by != identity(os.getpid()):
            record.state.awaited_by = identity(os.getpid())
            save(engine, record)
        return record.id


def _code(engine: Engine, container_id: str) -> int:
    """Both processes are gone, so the exit handler is done; where it was killed, its work is done here."""
    with locked_container(engine, container_id) as record:
        settle_run(engine, record)
        return observe(engine, record).exit_code
