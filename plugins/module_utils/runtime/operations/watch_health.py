# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whoever probes containers with a health check: one process for all of them, there while any of them runs.

Each probe has a thread, so that one that hangs holds up no other. The record is read anew before each probe:
a health check may be changed while its container runs.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
import typing as t

from ..container.health import (
    STARTING,
    HealthCheck,
    check_of,
    health_of,
    save_health,
)
from ..container.records import ContainerRecord, find_container, list_containers
from ..container.status import group_of, living_processes
from ..errors import CoracleError
from ..linux import cgroups
from ..linux.programs import spawn
from .clear_idle_host import clear_idle_host_from_inside, is_idle
from .history import note_container
from .install_agent import agent_command
from .keeper import HEALTH, find_keeper, keep, wake_keeper
from .probe_container import probe_container

if t.TYPE_CHECKING:
    from ..engine import Engine

_LONGEST_SLEEP = 60.0


def watch_health(engine: Engine) -> None:
    """Somebody probes the containers that run from now on, too."""
    if not wake_keeper(engine.paths, HEALTH):
        spawn([*agent_command(engine), "keep-health"]).wait()
        wake_keeper(engine.paths, HEALTH)


def is_unwatched(engine: Engine) -> bool:
    """Do containers with a health check run, and nobody probes them?"""
    return find_keeper(engine.paths, HEALTH) is None and bool(_running(engine))


def keep_health(engine: Engine) -> None:
    """Become the one who probes, in the background, unless there is one."""

    def is_done() -> bool:
        if is_idle(engine):
            clear_idle_host_from_inside(engine)
        return not _running(engine)

    keep(engine, HEALTH, _Watch(engine).run, is_done)


def _running(engine: Engine) -> list[ContainerRecord]:
    records = list_containers(engine.records, hidden=True, damaged=[])
    return [
        record
        for record in records
        if record.state.run is not None
        and record.state.run.started_at
        and check_of(record) is not None
        and living_processes(engine.paths, record).init is not None
    ]


class _Patient:
    """One run of a container."""

    def __init__(self, check: HealthCheck) -> None:
        self.began = time.monotonic()
        self.due = self.began + first_pause(check)
        self.probe: threading.Thread | None = None

    @property
    def is_being_probed(self) -> bool:
        return self.probe is not None and self.probe.is_alive()


def first_pause(check: HealthCheck) -> float:
    """Seconds from the start of a container to its first probe."""
    return min(check.start_interval, check.interval) if check.start_period else check.interval


class _Alarm:
    """Sleep that SIGIO and `ring` end. The signal is not blocked meanwhile: probes would inherit that."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> _Alarm:
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGIO, lambda *_arguments: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGIO])
        return self

    def __exit__(self, *_error: object) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
        signal.set_wakeup_fd(-1)

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._writing, b"!")

    def sleep(self, seconds: float) -> None:
        select.select([self._reading], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reading, 4096)


class _Watch:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._patients: dict[tuple[str, str], _Patient] = {}
        self._alarm = _Alarm()

    def run(self) -> None:
        """Until no container with a health check runs any more."""
        with self._alarm:
            while running := {_key(record): record for record in _running(self._engine)}:
                self._patients = {key: one for key, one in self._patients.items() if key in running}
                for key, record in running.items():
                    self._attend(key, record)
                due = min(one.due for one in self._patients.values())
                self._alarm.sleep(min(max(0.01, due - time.monotonic()), _LONGEST_SLEEP))

    def _attend(self, key: tuple[str, str], record: ContainerRecord) -> None:
        check = t.cast(HealthCheck, check_of(record))
        patient = self._patients.setdefault(key, _Patient(check))
        # Its interval may be another one by now.
        patient.due = min(patient.due, time.monotonic() + max(check.interval, check.start_interval))
        if patient.is_being_probed or time.monotonic() < patient.due:
            return
        patient.probe = threading.Thread(target=self._probe, args=(record, check, patient), daemon=True)
        patient.due = float("inf")
        patient.probe.start()

    def _probe(self, record: ContainerRecord, check: HealthCheck, patient: _Patient) -> None:
        pause = check.interval
        try:
            pause = self._probed(record, check, patient)
        finally:
            patient.due = time.monotonic() + pause
            self._alarm.ring()

    def _probed(self, known: ContainerRecord, check: HealthCheck, patient: _Patient) -> float:
        """Seconds until the next probe."""
        if cgroups.is_frozen(group_of(self._engine.paths, known)):
            return check.interval
        result = probe_container(self._engine, known.id, check)
        in_start_period = time.monotonic() - patient.began < check.start_period
        try:
            record = find_container(self._engine.records, known.id)
        except CoracleError:
            return check.interval
        before = health_of(self._engine.paths, record) if record is not None else None
        if record is None or before is None:
            return check.interval
        health = before.after(result, check, in_start_period=in_start_period)
        save_health(self._engine.paths, record, health)
        if health.status != before.status:
            note_container(self._engine, f"health_status: {health.status}", record)
        return check.start_interval if in_start_period and health.status == STARTING else check.interval


def _key(record: ContainerRecord) -> tuple[str, str]:
    return record.id, record.state.run.nonce if record.state.run else ""
