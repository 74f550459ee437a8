# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container in which something shall be done while it runs: it has to, and its root directory is the one
that its program sees.
"""

from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ..container.records import ContainerRecord, find_container
from ..container.status import living_processes, observe
from ..errors import Conflict, NotFound
from ..linux.processes import ProcessIdentity, is_alive
from ..linux.rooted import open_in_root

if t.TYPE_CHECKING:
    from ..engine import Engine

_REMEDIES = {"paused": "unpause it first", "restarting": "wait until it runs"}
_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class Running(t.NamedTuple):
    record: ContainerRecord
    init: ProcessIdentity


def running_container(engine: Engine, name: str) -> Running:
    """By exact name or full id. NotFound, or Conflict for one that is stopped, paused or restarting."""
    record = find_container(engine.records, name)
    if record is None:
        raise NotFound(f"there is no container {name}")
    status = observe(engine, record).status
    if status == "running":
        init = living_processes(engine.paths, record).init
        if init is not None:
            return Running(record, init)
    if status in _REMEDIES:
        raise Conflict(f"container {record.name} is {status}", _REMEDIES[status])
    raise Conflict(f"container {record.name} is not running", "start it first")


@contextlib.contextmanager
def seen_root(init: ProcessIdentity) -> t.Iterator[int]:
    """A descriptor of the root directory that this process sees. Conflict when it is gone."""
    try:
        fd = os.open(f"/proc/{init.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise Conflict("it has just ended") from None
    try:
        if not is_alive(init):  # or the PID is somebody else's by now
            raise Conflict("it has just ended")
        yield fd
    finally:
        os.close(fd)


def exists_inside(init: ProcessIdentity, path: str) -> bool:
    """Is there something at an absolute path, as this process sees it? Links end in its root directory."""
    with seen_root(init) as root_fd:
        try:
            os.close(open_in_root(root_fd, path, os.O_PATH))
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return False
            raise
    return True
