# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Update a container in place: write down what is asked for now, and change its networks, ports, limits,
log limits and health check.

Labels, restart policy, stop signal and timeout are read when they matter; nothing that runs has to hear of
it. A kill while limits change leaves `state.resizing`, and the next task sets them (repair_container.py).
"""

from __future__ import annotations

import typing as t

from ..container import log_segments
from ..container.health import Health, check_of, save_health
from ..container.live_limits import limits_differ, limits_of, with_limits
from ..container.log_values import FILE, driver_of, limits_of_log
from ..container.records import ContainerRecord, save_config, save_state
from ..container.status import living_processes
from ..errors import CoracleError, collecting, doing
from .apply_limits import apply_limits, limits_to_apply
from .history import note_container
from .install_boot_unit import BOOT_POLICIES, install_boot_unit
from .locked_container import locked_container
from .reserve_network import change_network, ensure_networks
from .rewire_container import rewire_container

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..engine import Engine


def update_container(engine: Engine, name: str, config: ContainerConfig, image_name: str) -> ContainerRecord:
    """`image_name` is another name of the image that the container has.

    A limit that the kernel refuses leaves everything as it was.
    """
    with doing(f"update container {name}"):
        ensure_networks(engine, config)
        with locked_container(engine, name) as record:
            record.image_name = image_name
            had_check = check_of(record)
            if limits_differ(record.config, config) and living_processes(engine.paths, record).init:
                _resize(engine, record, config)
            rewire_container(engine, record, lambda rows: change_network(rows, record, config), config)
            if driver_of(config) == FILE:
                log_segments.apply_limits(engine.paths, record.id, limits_of_log(config))
            if config.restart_policy in BOOT_POLICIES:
                install_boot_unit(engine)
            if check_of(record) not in (None, had_check) and living_processes(engine.paths, record).init:
                _begin_probing(engine, record)
            note_container(engine, "update", record)
            return record


def _begin_probing(engine: Engine, record: ContainerRecord) -> None:
    """What another check has found out says nothing."""
    from .watch_health import watch_health

    save_health(engine.paths, record, Health())
    watch_health(engine)


def _resize(engine: Engine, record: ContainerRecord, config: ContainerConfig) -> None:
    """Only the limits of `config`, in the record and in the kernel."""
    before = record.config
    record.config = with_limits(before, config)
    try:
        update = limits_to_apply(engine, record, before)
    except BaseException:
        record.config = before  # nothing has been written down yet
        raise
    record.state.resizing = limits_of(before)
    _save(engine, record)
    try:
        apply_limits(engine, record, update)
    except BaseException as error:
        fate: list[BaseException] = []
        with collecting(fate):
            refused, record.config = record.config, before
            apply_limits(engine, record, limits_to_apply(engine, record, refused))
            record.state.resizing = None
            _save(engine, record)
        if fate and isinstance(error, CoracleError):
            error.message += f"; and the limits that were could not be brought back: {fate[0]}"
        raise
    record.state.resizing = None
    _save(engine, record)


def _save(engine: Engine, record: ContainerRecord) -> None:
    with engine.database.transaction() as transaction:
        save_config(transaction, record)
        save_state(transaction, record)
