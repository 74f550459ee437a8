# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Start a container: prepare it, then let its program go. Of several at once, exactly one starts it."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.attachments import has_interfaces, network_mode
from ..container.health import check_of
from ..container.oci_runtime import find_runtime
from ..container.records import ContainerRecord
from ..container.status import started_file
from ..errors import Conflict
from ..linux.processes import ProcessIdentity, identity, now
from .history import note_container
from .locked_container import acting, locked_container, save
from .prepare_container import prepare
from .settle_run import abandon_run, run_is_prepared, runtime_of, settle_run
from .start_required import start_required

if t.TYPE_CHECKING:
    from ..engine import Engine


def start_container(engine: Engine, name: str, *, awaited: bool = False) -> ContainerRecord:
    """The container's record; nothing happens if it runs already. A start by a user forgets what the policy
    counted.

    `awaited`: this process wants exit code and output, so an automatic removal is left to it while it lives.
    """
    with acting(engine, "start", name) as found:
        start_required(engine, found)
        return _start(engine, found, awaited)


def _start(engine: Engine, found: ContainerRecord, awaited: bool) -> ContainerRecord:
    with locked_container(engine, found.id) as record:
        settle_run(engine, record)
        fresh = record.state.run is None
        if fresh:
            forget_restarts(record)
            record.state.awaited_by = identity(os.getpid()) if awaited else None
            prepare(engine, record)
        if run_is_prepared(engine, record):
            release(engine, record, just_prepared=fresh)
        return record


def release_container(engine: Engine, name: str) -> ContainerRecord:
    """The second half of a start: let a prepared container's program go."""
    with acting(engine, "start", name) as found, locked_container(engine, found.id) as record:
        settle_run(engine, record)
        if not run_is_prepared(engine, record):
            raise Conflict("it is not prepared any more", "run the task again")
        forget_restarts(record)
        release(engine, record)
        return record


def release(engine: Engine, record: ContainerRecord, *, just_prepared: bool = False) -> None:
    """The same with the lock held, for a prepared container."""
    run = record.state.run
    if run is None:
        raise Conflict(f"container {record.name} is not prepared")
    runtime = find_runtime(engine.paths, runtime_of(engine, record))
    os.close(
        os.open(
            started_file(engine.paths, record.id, run.nonce), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600
        )
    )
    started = now()
    try:
        if record.state.replaces is not None or not just_prepared:
            _connect(engine, record)
        runtime.start(record.id)
    except BaseException as error:
        abandon_run(engine, record, error)
        raise
    record.state.run = run._replace(started_at=started)
    record.state.restart = None
    record.state.error = ""
    save(engine, record)
    note_container(engine, "start", record)
    _tell_service_manager(run.conmon, record.config.sdnotify)
    if check_of(record) is not None:
        from .watch_health import watch_health

        watch_health(engine)


def _tell_service_manager(conmon: ProcessIdentity | None, sdnotify: str | None) -> None:
    """A unit of the type notify that starts the container has conmon as its main process. Nobody has to
    listen.
    """
    if sdnotify is None or conmon is None:
        return
    from ..container.unit_values import CONMON
    from ..linux.service_notice import send_notice

    with contextlib.suppress(OSError):
        send_notice(f"MAINPID={conmon.pid}", *(["READY=1"] if sdnotify == CONMON else []))


def _connect(engine: Engine, record: ContainerRecord) -> None:
    """What could not be done while the container to be replaced was there, and what the others see."""
    if not has_interfaces(network_mode(record.config)):
        return
    from .attach_network import connect_endpoints
    from .refresh_network import refresh_network

    if record.state.replaces is not None:
        connect_endpoints(engine, record)
    refresh_network(engine)


def forget_restarts(record: ContainerRecord) -> None:
    state = record.state
    state.stopped_by_user = False
    state.restart_count = 0
    state.backoff = 0.0
    state.restart = None
