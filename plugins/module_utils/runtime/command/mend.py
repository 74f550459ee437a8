# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a word that changes something mends before its own work, as every task does; and removals that were
interrupted, which a task finishes when it comes to the container.
"""

from __future__ import annotations

import typing as t

from ..errors import CoracleError, NotFound

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .context import Context

_LOOKING = (
    "attach", "complete", "completion", "container inspect", "cp", "diff", "events", "exec", "export", "fsck",
    "history", "image inspect", "images", "info", "inspect", "logs", "network inspect", "network ls", "port",
    "ps", "save", "stats", "system df", "top", "version", "volume inspect", "volume ls", "wait",
)  # fmt: skip
_NAMES_WHAT_GOES = "rm"


def mend(context: Context, word: str) -> None:
    """Cheap where nothing is missing. What cannot be mended does not stand in the way of the word."""
    if word in _LOOKING or not context.engine.exists:
        return
    from ..reconcile.repairs import plan_repairs

    plan = plan_repairs(context.engine)
    try:
        for warning in plan.execute(context.engine)["warnings"]:
            context.warn(warning)
        if word != _NAMES_WHAT_GOES:
            _finish_removals(context.engine)
    except CoracleError as error:
        context.warn(str(error))


def _finish_removals(engine: Engine) -> None:
    """A hidden one may be draining: that is for the replacement, or for its repair."""
    from ..container.records import REMOVING, find_remains, is_hidden

    rows = engine.records.read().all("SELECT id FROM containers WHERE state LIKE ?", (f'%"{REMOVING}"%',))
    for (container_id,) in rows:
        found = find_remains(engine.records, container_id)
        if found is not None and found.state.phase == REMOVING and not is_hidden(found.name):
            from ..operations.remove_container import remove_container

            try:
                remove_container(engine, container_id)
            except NotFound:
                continue  # somebody was at it
