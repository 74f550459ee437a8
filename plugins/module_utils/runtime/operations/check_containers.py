# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What work that was cut off has left of containers, and what is left of containers that are gone.

Every writer mends what is of the container that it works with; this finds the rest. A container that is
locked by somebody is being worked with, and left out.
"""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t

from ..container.config import ContainerConfig
from ..container.records import (
    REMOVING,
    ContainerRecord,
    find_container,
    list_containers,
    list_hidden,
)
from ..container.status import cgroup_of, group_of, is_restarting, living_processes, observe
from ..content.images import select_image
from ..errors import NotFound, TimedOut
from ..linux import cgroups
from ..linux.locks import lock
from ..linux.mounts import is_mounted
from ..linux.trees import move_to_trash, remove_tree
from ..oci.image_config import ImageConfig
from .clear_idle_host import clear_idle_host
from .findings import Finding
from .locked_container import locked_container
from .repair_container import repair_container
from .replace_container import repair_replacement
from .settle_run import clear_run

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .findings import Findings

_HEX = frozenset("0123456789abcdef")


def check_containers(engine: Engine) -> Findings:
    yield from _check_replacements(engine)
    for record in list_containers(engine.records, damaged=[]):
        yield from _check_container(engine, record)
    yield from _check_orphans(engine)


def _check_replacements(engine: Engine) -> Findings:
    for record in list_hidden(engine.records):
        replaces = record.state.replaces
        old_id = replaces.container_id if replaces else record.id
        if _is_free(engine, f"replacement-{old_id}") and find_container(engine.records, record.id):
            yield Finding(
                f"a replacement was cut off: {record.name} is left of it",
                functools.partial(repair_replacement, engine, record.id),
            )


def _check_container(engine: Engine, record: ContainerRecord) -> Findings:
    if select_image(engine.records.read(), record.image_id) is None:
        yield Finding(
            f"container {record.name}: its image {record.image_id[:19]} is gone",
            advice=f"pull {record.image_name}, or remove the container",
        )
    if not _is_free(engine, f"container-{record.id}"):
        return
    fresh = find_container(engine.records, record.id)
    problem = _problem(engine, fresh) if fresh else ""
    if problem:
        yield Finding(f"container {record.name}: {problem}", functools.partial(_mend, engine, record.id))


def _problem(engine: Engine, record: ContainerRecord) -> str:
    if record.state.phase == REMOVING:
        return "its removal was cut off"
    if observe(engine, record).unsupervised:
        return "its conmon was killed, nobody would see it end"
    if record.state.run is not None:
        over = living_processes(engine.paths, record) == (None, None)
        return "it has ended, and nobody has taken note of it" if over else ""
    if is_restarting(record):
        return ""
    traces = _traces(engine, record.id, group_of(engine.paths, record))
    return f"it does not run, and there is still {' and '.join(traces)}" if traces else ""


def _mend(engine: Engine, container_id: str) -> None:
    if repair_container(engine, container_id) is None:
        return
    with contextlib.suppress(NotFound), locked_container(engine, container_id) as record:
        if record.state.run is None and _traces(engine, container_id, group_of(engine.paths, record)):
            clear_run(engine, record)


def _traces(engine: Engine, container_id: str, group: str) -> list[str]:
    """What only a container with a run has."""
    paths = engine.paths
    places = {
        "a run directory": [paths.container_run(container_id)],
        "something of it in its runtime": [os.path.join(paths.oci_runtime, container_id)],
        "a network namespace": [paths.network_namespace(container_id)],
        "a control group": [os.path.join(place, group) for place in cgroups.layout().hierarchies],
    }
    found = [what for what, where in places.items() if any(map(os.path.lexists, where))]
    if is_mounted(os.path.join(paths.container(container_id), "rootfs")):
        found.append("a mounted root file system")
    return found


# What belongs to no container


def _check_orphans(engine: Engine) -> Findings:
    """Directories first: a container has its row before it has anything else."""
    found = _ids_on_host(engine)
    rows = engine.records.read()
    known = {row["id"] for row in rows.all("SELECT id FROM containers")}
    for container_id in sorted(found - known):
        if _is_free(engine, f"container-{container_id}"):
            traces = _traces(engine, container_id, cgroup_of(engine.paths, container_id)) or ["a directory"]
            yield Finding(
                f"{' and '.join(traces)} of container {container_id[:12]}, which is gone",
                functools.partial(_remove_orphan, engine, container_id),
            )


def _ids_on_host(engine: Engine) -> set[str]:
    paths = engine.paths
    directories = [paths.containers, paths.container_run(""), paths.oci_runtime, paths.netns]
    directories += [os.path.join(place, paths.cgroup_parent) for place in cgroups.layout().hierarchies]
    names = {name for directory in directories for name in _names(directory)}
    return {name for name in names if len(name) == 64 and _HEX.issuperset(name)}


def _remove_orphan(engine: Engine, container_id: str) -> None:
    nobody = ContainerRecord(container_id, container_id[:12], "", "", ImageConfig(), ContainerConfig(), "")
    with lock(engine.paths, f"container-{container_id}", fleeting=True):
        clear_run(engine, nobody)
        place = engine.paths.container(container_id)
        trashed = move_to_trash(engine.paths, place) if os.path.isdir(place) else ""
    if trashed:
        remove_tree(trashed)
    clear_idle_host(engine)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_free(engine: Engine, name: str) -> bool:
    try:
        with lock(engine.paths, name, timeout=0):
            return True
    except TimedOut:
        return False
