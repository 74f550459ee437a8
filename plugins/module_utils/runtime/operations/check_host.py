# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Everything that would stand in the way of containers on this host, found before anybody starts one.

What can be asked of those who will complain later is asked of them, so that the words are the same. Nothing
is made, mounted or changed.
"""

from __future__ import annotations

import os
import platform
import typing as t

from ..container.host_facts import find_init_program
from ..errors import CoracleError, HostNotReady, StorageError
from ..linux import cgroups
from ..linux.mounts import filesystem_type
from ..linux.programs import find_program
from ..network.name_server import PROGRAM as NAME_SERVER
from ..network.name_server import find_server
from ..state.roots import check_roots
from .check_space import check_space

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .list_components import Component

OLDEST_KERNEL = "5.4"
OLDEST = {"crun": "1.8", "runc": "1.1", "conmon": "2.1.6", "nft": "0.9.8", "pyroute2": "0.7"}
"""As far as they are tested; roles/host has the same."""
_ROLE = "the role coracle.engine.host installs what is needed"
_LIMITS = ("cpu", "memory", "pids")
_UNFIT_FILE_SYSTEMS = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "ceph",
    "fuse",
    "overlay",
    "vfat",
    "msdos",
    "ntfs3",
)


class Problem(t.NamedTuple):
    """`needed_for`: what cannot be done because of it; `everything` if no container can be started."""

    needed_for: str
    message: str
    hint: str


EVERYTHING = "everything"


def check_host(engine: Engine, components: t.Mapping[str, Component]) -> list[Problem]:
    """The gravest first."""
    found: list[Problem] = []
    for needed_for, check in _CHECKS:
        try:
            check(engine)
        except CoracleError as error:
            found.append(Problem(needed_for, error.message, error.hint))
    for name, oldest in OLDEST.items():
        version = components[name].version if name in components else ""
        if version and _number(version) < _number(oldest):
            message = f"{name} {version} is too old, {oldest} or newer is needed"
            found.append(Problem(EVERYTHING, message, f"install a newer {name}"))
    return sorted(found, key=lambda problem: problem.needed_for != EVERYTHING)


def _number(version: str) -> tuple[int, ...]:
    """`1.8.7-3` as (1, 8, 7)."""
    parts = version.split("-")[0].split("+")[0].split("~")[0].split(".")
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts)


def _root_user(_engine: Engine) -> None:
    if os.geteuid() != 0:
        raise HostNotReady("coracle.engine needs root on the target", "set become: true")


def _kernel(_engine: Engine) -> None:
    if _number(platform.release())[:2] < _number(OLDEST_KERNEL):
        raise HostNotReady(f"Linux {platform.release()} is too old, {OLDEST_KERNEL} or newer is needed")


def _control_groups(_engine: Engine) -> None:
    cgroups.check_cgroups()


def _controllers(_engine: Engine) -> None:
    missing = sorted(set(_LIMITS) - cgroups.available_controllers())
    if missing:
        raise HostNotReady(
            f"the control groups of this host have no {', '.join(missing)}",
            f"boot the kernel with cgroup_enable={missing[0]}, or mount it",
        )


def _overlay(engine: Engine) -> None:
    place = _existing(engine.paths.root)
    kind = filesystem_type(place)
    if kind.startswith(_UNFIT_FILE_SYSTEMS):
        raise StorageError(
            f"overlay on {kind} is not supported ({place})", "put the state directory on a local disk"
        )
    with open("/proc/filesystems", encoding="ascii") as file:
        if "overlay" in file.read().split():
            return
    modules = f"/lib/modules/{platform.release()}/kernel/fs/overlayfs"
    if not os.path.isdir(modules):
        raise HostNotReady("this kernel has no overlay file system", "load the module: modprobe overlay")


def _seccomp(_engine: Engine) -> None:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        if "Seccomp:" not in file.read():
            raise HostNotReady(
                "this kernel has no seccomp", "it keeps containers from dangerous system calls"
            )


def _roots(engine: Engine) -> None:
    check_roots(engine.paths)


def _state(engine: Engine) -> None:
    engine.records.read().one("SELECT count(*) FROM containers")


def _space(engine: Engine) -> None:
    check_space(engine.paths)


def _runtime(engine: Engine) -> None:
    find_program(engine.runtime)


def _conmon(engine: Engine) -> None:
    find_program(engine.conmon)


def _zstd(_engine: Engine) -> None:
    find_program("zstd")


def _init(_engine: Engine) -> None:
    find_init_program()


def _nft(_engine: Engine) -> None:
    find_program("nft")


def _pyroute2(_engine: Engine) -> None:
    from .list_components import python_module

    if not python_module("pyroute2").path:
        raise HostNotReady("Python has no module pyroute2 (package python3-pyroute2)", _ROLE)


def _name_server(_engine: Engine) -> None:
    if find_server() is None:
        raise HostNotReady(
            f"{NAME_SERVER} is not installed: names of containers are in hosts files only", _ROLE
        )


def _existing(path: str) -> str:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


_CHECKS: tuple[tuple[str, t.Callable[[t.Any], None]], ...] = (
    (EVERYTHING, _root_user),
    (EVERYTHING, _kernel),
    (EVERYTHING, _control_groups),
    (EVERYTHING, _overlay),
    (EVERYTHING, _seccomp),
    (EVERYTHING, _roots),
    (EVERYTHING, _state),
    (EVERYTHING, _space),
    (EVERYTHING, _runtime),
    (EVERYTHING, _conmon),
    ("limits of containers", _controllers),
    ("images with layers in zstd", _zstd),
    ("init: true", _init),
    ("networks", _nft),
    ("networks", _pyroute2),
    ("names on networks", _name_server),
)
