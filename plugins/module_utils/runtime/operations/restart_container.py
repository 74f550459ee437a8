# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stop a container and start it again; one that is not running is started."""

from __future__ import annotations

import typing as t

from .history import note_container
from .start_container import start_container
from .stop_container import stop_container

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def restart_container(
    engine: Engine, name: str, *, signal: str | None = None, timeout: int | None = None
) -> ContainerRecord:
    """`signal` and `timeout` as for `stop_container`."""
    record = stop_container(engine, name, signal=signal, timeout=timeout)
    record = start_container(engine, record.id)
    note_container(engine, "restart", record)
    return record
