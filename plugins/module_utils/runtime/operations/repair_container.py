# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Put a container in order that a killed task or a killed conmon has left: finish its removal, or end its
run.
"""

from __future__ import annotations

import typing as t

from ..container.records import REMOVING
from ..errors import NotFound, doing
from ..linux.trees import remove_tree
from .locked_container import locked_container
from .remove_container import remove
from .settle_run import settle_run

if t.TYPE_CHECKING:
    from ..engine import Engine


def repair_container(engine: Engine, name: str) -> None:
    """Nothing to do for one that is in order, or gone by now."""
    trashed: list[str] = []
    try:
        with doing(f"repair container {name}"), locked_container(engine, name) as record:
            if record.state.phase == REMOVING:
                trashed = remove(engine, record, volumes=bool(record.config.auto_remove))
            else:
                settle_run(engine, record)
    except NotFound:
        return
    for tree in trashed:
        remove_tree(tree)
