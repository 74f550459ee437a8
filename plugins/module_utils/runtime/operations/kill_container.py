# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Send a signal to a container's program."""

from __future__ import annotations

import signal as signals
import typing as t

from ..container.effective import stop_signal
from ..container.oci_runtime import find_runtime
from ..container.status import group_of, living_processes
from ..container.values import parse_signal, signal_number
from ..errors import Conflict
from ..linux import cgroups
from ..linux.processes import signal_process
from .history import note_container
from .locked_container import acting, locked_container, save
from .settle_run import run_is_prepared, runtime_of, settle_run

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def kill_container(engine: Engine, name: str, signal: str = "SIGKILL") -> ContainerRecord:
    """Returns at once. SIGKILL and the stop signal mean "stop": no policy starts the container again."""
    number = signal_number(parse_signal(signal, "signal"))
    with acting(engine, "kill", name) as found, locked_container(engine, found.id) as record:
        settle_run(engine, record)
        init = living_processes(engine.paths, record).init
        if init is None or run_is_prepared(engine, record):
            raise Conflict("it is not running")
        if number in (signals.SIGKILL, stop_signal(record.config, record.image)):
            record.state.stopped_by_user = True
            save(engine, record)
        signal_process(init, number)
        if number == signals.SIGKILL and cgroups.is_frozen(group_of(engine.paths, record)):
            find_runtime(engine.paths, runtime_of(engine, record)).resume(record.id)
        note_container(engine, "kill", record, signal=number)
        return record
