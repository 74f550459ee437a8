# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a container shares with the host or with another container: namespaces that are not its own.

    pid_mode   host, container:<name>                    whose processes it sees
    ipc_mode   host, container:<name>, shareable, none   whose shared memory, semaphores and queues it has
    uts        host                                      whose host name it has
    network_mode                                         attachments.py

Who shares something with another container starts after it, and needs a restart when that one has been
replaced or started anew: namespaces end with the container that they belong to.
"""

from __future__ import annotations

import os
import typing as t

from ..errors import NotFound
from .attachments import HOST, joined_container, network_mode
from .config import ContainerConfig

if t.TYPE_CHECKING:
    from .records import ContainerRecord

SHAREABLE = "shareable"


def joined_containers(config: ContainerConfig) -> dict[str, str]:
    """Names of the containers that it shares something with, by the option that says so."""
    modes = {
        "network_mode": network_mode(config),
        "pid_mode": config.pid_mode or "",
        "ipc_mode": config.ipc_mode or "",
    }
    joined = {option: joined_container(mode) for option, mode in modes.items()}
    return {option: name for option, name in joined.items() if name}


def needed_containers(config: ContainerConfig) -> list[str]:
    """Names of those that are started before it."""
    return [*joined_containers(config).values(), *(config.requires or ())]


def requirement_missing(name: str) -> NotFound:
    return NotFound(f"requires: there is no container {name}", "make it first, or take it out of requires")


def host_name(config: ContainerConfig, container_id: str) -> str:
    """The one that was asked for, that of the host, or the short id."""
    if config.uts == HOST or (network_mode(config) == HOST and not config.hostname):
        return os.uname().nodename
    return config.hostname or container_id[:12]


def in_order_of_start(records: t.Sequence[ContainerRecord]) -> list[ContainerRecord]:
    """As they come, but each after those that it shares something with or requires."""
    by_name = {record.name: record for record in records}
    ordered: dict[str, ContainerRecord] = {}

    def add(record: ContainerRecord, above: tuple[str, ...]) -> None:
        for name in needed_containers(record.config):
            if name in by_name and name not in (*above, record.name):
                add(by_name[name], (*above, record.name))
        ordered.setdefault(record.id, record)

    for record in records:
        add(record, ())
    return list(ordered.values())
