# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Look at many containers for hardly more than at one: what they have in common is found out once."""

from __future__ import annotations

import typing as t

from ..container.status import Status, observe
from ..linux.cgroups import layout_for_looking
from .inspect_container import Document, inspect_known

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


class Seen(t.NamedTuple):
    record: ContainerRecord
    status: Status


def look_at(engine: Engine, records: t.Sequence[ContainerRecord]) -> list[Seen]:
    """Their status now; no lock is waited for."""
    at = layout_for_looking() if any(record.state.run for record in records) else None
    return [Seen(record, observe(engine, record, at)) for record in records]


def inspect_all(engine: Engine, seen: t.Iterable[Seen]) -> list[Document]:
    """In the shape of `docker inspect`, on one view of the state."""
    with engine.records.snapshot() as rows:
        return [inspect_known(engine, record, status, rows, record) for record, status in seen]
