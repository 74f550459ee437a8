# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Holding a container: its lock, and its record as it is under the lock."""

from __future__ import annotations

import contextlib
import typing as t

from ..container.records import ContainerRecord, find_container, save_state
from ..errors import NotFound, doing
from ..linux.locks import lock

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..state.database import Database

    Find = t.Callable[[Database, str], t.Optional[ContainerRecord]]

LOCK_TIMEOUT = 60.0  # seconds; whoever holds the lock of a container works, and never waits for its program


@contextlib.contextmanager
def acting(
    engine: Engine, verb: str, name: str, more: str = "", *, find: Find = find_container
) -> t.Iterator[ContainerRecord]:
    """Errors in the block begin with `<verb> container <its name><more>`; `name` is an exact name or a full
    id.

    The record is as it was found, without the lock. NotFound if there is none.
    """
    found = find(engine.database, name)
    with doing(f"{verb} container {found.name if found else name}{more}"):
        yield found or _missing(name)


@contextlib.contextmanager
def locked_container(
    engine: Engine, name: str, timeout: float = LOCK_TIMEOUT, *, find: Find = find_container
) -> t.Iterator[ContainerRecord]:
    """Hold the container (exact name or full id) in the block. NotFound if there is none (any more)."""
    found = find(engine.database, name) or _missing(name)
    with lock(engine.paths, f"container-{found.id}", timeout=timeout):
        yield find(engine.database, found.id) or _missing(name)


def save(engine: Engine, record: ContainerRecord) -> None:
    """Write down the record's state, on disk when this returns."""
    with engine.database.transaction() as transaction:
        save_state(transaction, record)


def _missing(name: str) -> t.NoReturn:
    raise NotFound(f"there is no container {name}")
