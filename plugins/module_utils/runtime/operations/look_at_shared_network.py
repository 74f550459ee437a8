# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Does a container that shares the network of another one still do so? Since that one was started anew, or
replaced, it sits in a network namespace without interfaces, which nobody else is in.
"""

from __future__ import annotations

import os
import typing as t

from ..container.attachments import attachments_of, joined_container
from ..container.records import ContainerRecord, find_container
from ..container.status import living_processes

if t.TYPE_CHECKING:
    from ..engine import Engine


def left_alone_by(engine: Engine, record: ContainerRecord) -> str:
    """The name of the container that runs with another network now; empty if there is none. Both have to
    run.
    """
    name = joined_container(attachments_of(record.config).mode)
    joined = find_container(engine.records, name) if name else None
    if joined is None:
        return ""
    places = {_namespace(engine, one) for one in (record, joined)}
    return joined.name if len(places) == 2 and None not in places else ""


def _namespace(engine: Engine, record: ContainerRecord) -> int | None:
    init = living_processes(engine.paths, record).init
    try:
        return os.stat(f"/proc/{init.pid}/ns/net").st_ino if init is not None else None
    except OSError:
        return None
