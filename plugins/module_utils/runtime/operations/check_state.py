# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The state file: are its pages whole, do its rows refer to each other as they should, can its records be
read?
"""

from __future__ import annotations

import typing as t

from ..container.records import list_containers
from ..content.images import list_images
from ..errors import StateError
from ..network.records import find_network, list_endpoints
from ..volume.records import find_volume
from .findings import Finding

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..state.database import Reader
    from .findings import Findings

_ADVICE = "restore it from a backup, or move it away to start with an empty engine"


def check_state(engine: Engine) -> Findings:
    try:
        rows = engine.records.read()
        damages = [row[0] for row in rows.all("PRAGMA integrity_check(10)") if row[0] != "ok"]
        dangling = rows.all("PRAGMA foreign_key_check")
    except StateError as error:
        yield Finding(error.message, advice=error.hint or _ADVICE)
        return
    for damage in damages:
        yield Finding(f"{engine.paths.database} is damaged: {damage}", advice=_ADVICE)
    for row in dangling:
        yield Finding(f"a row of table {row[0]} in state.db refers to one in {row[2]} that is gone")
    for problem in _unreadable(engine, rows):
        yield Finding(problem.message, advice=problem.hint or "remove it by its name, and make it again")


def _unreadable(engine: Engine, rows: Reader) -> t.Iterator[StateError]:
    errors: list[BaseException] = []
    list_images(rows, damaged=errors)
    list_containers(engine.records, hidden=True, damaged=errors)
    yield from (error for error in errors if isinstance(error, StateError))
    for table, find in (("networks", find_network), ("volumes", find_volume)):
        for row in rows.all(f"SELECT name FROM {table} ORDER BY name"):
            try:
                find(rows, row[0])
            except StateError as error:
                yield error
    try:
        list_endpoints(rows)
    except StateError as error:
        yield error
