# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Namespaces of other containers that a container shares: looked up when it is started."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.attachments import joined_container
from ..container.records import ContainerRecord, find_container
from ..container.sharing import SHAREABLE
from ..container.status import living_processes
from ..errors import Conflict, NotFound
from ..linux import syscalls
from ..linux.files import make_private_directory
from ..linux.mounts import is_file_system, unmount

if t.TYPE_CHECKING:
    from ..engine import Engine

_KINDS = {"pid_mode": "pid", "ipc_mode": "ipc"}
_SHM = "/dev/shm"
_SHM_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NOEXEC | syscalls.MS_NODEV


def join_namespaces(engine: Engine, record: ContainerRecord) -> tuple[dict[str, str], dict[str, str]]:
    """Paths of namespaces by the kind that the runtime specification calls them, and places on the host by
    what is mounted from there. NotFound or Conflict where the other container cannot be joined.
    """
    namespaces, places = {}, {}
    for option, kind in _KINDS.items():
        name = joined_container(getattr(record.config, option) or "")
        if name:
            other = _running(engine, option, name)
            namespaces[kind] = f"/proc/{_init_of(engine, option, other)}/ns/{kind}"
            if kind == "ipc":
                places[_SHM] = _shared_memory_of(engine, other)
    if record.config.ipc_mode == SHAREABLE:
        places[_SHM] = _make_shared_memory(engine, record)
    return namespaces, places


def leave_namespaces(engine: Engine, container_id: str) -> None:
    """Take away what others could have joined; fine if there is nothing. Who has it mounted keeps it."""
    path = engine.paths.shared_memory(container_id)
    unmount(path)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(path)


def _running(engine: Engine, option: str, name: str) -> ContainerRecord:
    found = find_container(engine.records, name)
    if found is None:
        raise NotFound(f"{option}: there is no container {name}", "make and start it first")
    return found


def _init_of(engine: Engine, option: str, other: ContainerRecord) -> int:
    init = living_processes(engine.paths, other).init
    if init is None:
        raise Conflict(f"{option}: container {other.name} does not run", "start it first")
    return init.pid


def _shared_memory_of(engine: Engine, other: ContainerRecord) -> str:
    path = engine.paths.shared_memory(other.id)
    if not is_file_system(path):
        raise Conflict(
            f"ipc_mode: container {other.name} does not share its memory",
            "give it ipc_mode: shareable, and start it with that",
        )
    return path


def _make_shared_memory(engine: Engine, record: ContainerRecord) -> str:
    from ..container.spec_mounts import DEFAULT_SHM_SIZE

    path = engine.paths.shared_memory(record.id)
    for directory in (os.path.dirname(path), path):
        make_private_directory(directory)
    if not is_file_system(path):
        size = record.config.shm_size or DEFAULT_SHM_SIZE
        syscalls.mount("shm", path, "tmpfs", _SHM_FLAGS, f"mode=1777,size={size}")
    return path
