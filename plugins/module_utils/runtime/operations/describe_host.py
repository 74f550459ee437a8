# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What this host is to the engine: versions, kernel, control groups, storage, and how much is on it."""

from __future__ import annotations

import os
import platform
import typing as t

from ..container.records import list_containers
from ..content.images import list_images
from ..engine import VERSION
from ..errors import HostNotReady
from ..linux import cgroups
from ..linux.files import free_bytes
from ..linux.mounts import filesystem_type
from ..network.records import list_networks
from ..volume.records import list_volumes
from .check_host import EVERYTHING, check_host
from .list_components import list_components
from .look_at_containers import look_at

if t.TYPE_CHECKING:
    from ..engine import Engine

_STATUSES = ("created", "running", "paused", "restarting", "exited", "removing", "dead")


def describe_host(engine: Engine, *, disk_usage: bool = False) -> dict[str, t.Any]:
    """`disk_usage` counts files, which takes its time."""
    components = list_components(engine)
    problems = check_host(engine, components)
    return {
        "engine": {"version": VERSION, "root": engine.paths.root, "run_root": engine.paths.run_root},
        "components": {
            name: {"path": part.path, "version": part.version} if part.path else None
            for name, part in components.items()
        },
        "python": {"version": platform.python_version(), "sqlite": _sqlite_version()},
        "kernel": {"version": platform.release(), "machine": platform.machine()},
        "host": {
            "name": platform.node(),
            "operating_system": _operating_system(),
            "processors": os.cpu_count() or 1,
            "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        },
        "cgroups": _control_groups(),
        "storage": _storage(engine.paths.root),
        "counts": _counts(engine),
        "disk_usage": _disk_usage(engine) if disk_usage else None,
        "ready": all(problem.needed_for != EVERYTHING for problem in problems),
        "problems": [problem._asdict() for problem in problems],
    }


def _control_groups() -> dict[str, t.Any]:
    try:
        at = cgroups.layout()
    except HostNotReady:
        return {"mode": None, "controllers": []}
    return {"mode": at.mode, "controllers": sorted(cgroups.available_controllers(at))}


def _storage(root: str) -> dict[str, t.Any]:
    place = root
    while not os.path.exists(place):
        place = os.path.dirname(place)
    whole = os.statvfs(place)
    return {
        "driver": "overlay",
        "file_system": filesystem_type(place),
        "size": whole.f_blocks * whole.f_frsize,
        "free": free_bytes(place),
    }


def _counts(engine: Engine) -> dict[str, t.Any]:
    damaged: list[BaseException] = []
    seen = look_at(engine, list_containers(engine.records, damaged=damaged))
    states = [status.status for _record, status in seen] + ["dead"] * len(damaged)
    with engine.records.snapshot() as rows:
        return {
            "containers": {"total": len(states), **{name: states.count(name) for name in _STATUSES}},
            "images": len(list_images(rows)),
            "volumes": len(list_volumes(rows)),
            "networks": len(list_networks(rows)),
        }


def _disk_usage(engine: Engine) -> dict[str, t.Any]:
    from .disk_usage import disk_usage

    usage = disk_usage(engine)
    kinds = {"images": usage.images, "containers": usage.containers, "volumes": usage.volumes}
    return {kind: sums._asdict() for kind, sums in {**kinds, "logs": usage.logs}.items()}


def _sqlite_version() -> str:
    import sqlite3

    return sqlite3.sqlite_version


def _operating_system() -> str:
    """`PRETTY_NAME` of os-release(5)."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = dict(line.rstrip("\n").partition("=")[::2] for line in file)
            return lines.get("PRETTY_NAME", "").strip("\"'")
        except FileNotFoundError:
            continue
    return ""
