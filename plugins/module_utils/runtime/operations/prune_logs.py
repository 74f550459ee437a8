# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Give back what logs take: full segments that were put aside, and what containers at rest have said.

    container      runs                     rests
    ctr.log.1 .2   if everything goes       gone
    ctr.log        never: it is written     emptied, if everything goes

Segments that were written to after a given time stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ..container import log_segments
from ..container.status import observe, rfc3339
from .locked_container import acting, locked_container
from .prune_container import AT_REST

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def prune_logs(engine: Engine, container_id: str, *, everything: bool = False, until: str = "") -> int:
    """The bytes given back. `until`: as parse_moment gives it. NotFound if the container is gone."""
    with (
        acting(engine, "shorten the log of", container_id),
        locked_container(engine, container_id) as record,
        log_segments.locked(engine.paths, fcntl.LOCK_EX),
    ):
        rests = observe(engine, record).status in AT_REST
        return sum(map(_give_back, _unneeded(engine, record, rests, everything, until)))


def measure_logs(
    engine: Engine, record: ContainerRecord, *, rests: bool, everything: bool, until: str
) -> int:
    """The bytes that `prune_logs` would give back. Only looks. `rests`: the container does not run."""
    return sum(map(_size, _unneeded(engine, record, rests, everything, until)))


def _unneeded(
    engine: Engine, record: ContainerRecord, rests: bool, everything: bool, until: str
) -> list[str]:
    if not (rests or everything):
        return []
    first = 0 if rests and everything else 1
    numbers = [number for number in log_segments.numbers(engine.paths, record.id) if number >= first]
    paths = [log_segments.segment(engine.paths, record.id, number) for number in numbers]
    return [path for path in paths if _is_older(path, until)]


def _is_older(path: str, until: str) -> bool:
    try:
        return not until or rfc3339(os.stat(path, follow_symlinks=False).st_mtime_ns) < until
    except FileNotFoundError:
        return False


def _give_back(path: str) -> int:
    """The file that a next run goes on to write stays, empty."""
    size = _size(path)
    with contextlib.suppress(FileNotFoundError):
        if path.endswith(log_segments.NAME):
            os.truncate(path, 0)
        else:
            os.unlink(path)
    return size


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
