# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What of this host goes into a container's specification, read when somebody first asks."""

from __future__ import annotations

import functools
import glob
import os
import platform
import re
import typing as t

from ..errors import HostNotReady
from ..linux.cgroups import CgroupLayout, available_controllers, layout
from .capabilities import capabilities_from_mask
from .seccomp import Machine

_INIT_PROGRAMS = (
    "/usr/libexec/podman/catatonit",
    "/usr/lib/podman/catatonit",
    "/usr/libexec/catatonit/catatonit",
    "/usr/bin/catatonit",
    "/usr/bin/docker-init",
    "/usr/libexec/docker/docker-init",
    "/usr/bin/tini-static",
    "/usr/bin/dumb-init",
    "/sbin/tini",
    "/usr/bin/tini",
)
_ELF_HEADER, _ELF_INTERPRETER = 64, 3  # bytes we read of an executable; program header type PT_INTERP


class HostFacts(t.NamedTuple):
    """`bounding`: capabilities that we may hand on. `largest_limits`: highest rlimit that we can set, by
    name; one that is missing has no bound. `side_channels`: files that tell of other tenants' work.
    `weighs_disks`: the runtime can set a weight for disk access.
    """

    machine: Machine
    cgroup_mode: str
    controllers: frozenset[str]
    limits_swap: bool
    bounding: frozenset[str]
    largest_limits: dict[str, int]
    side_channels: tuple[str, ...]
    weighs_disks: bool = True


@functools.cache
def read_host_facts() -> HostFacts:
    """Once in the life of a process."""
    control_groups = layout()
    bounding = _bounding_capabilities()
    return HostFacts(
        machine=Machine(_machine_name(platform.machine()), _kernel_version(platform.release())),
        cgroup_mode=control_groups.mode,
        controllers=available_controllers(control_groups),
        limits_swap=_counts_swap(control_groups),
        bounding=bounding,
        largest_limits=_largest_limits("SYS_RESOURCE" in bounding),
        weighs_disks=_weighs_disks(control_groups),
        side_channels=tuple(sorted(glob.glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"))),
    )


def _counts_swap(control_groups: CgroupLayout) -> bool:
    """Does the kernel limit swap per group? On v2 the top has no limits: any group below it tells."""
    top = control_groups.controllers.get("memory", "")
    if top != control_groups.unified:
        return os.path.exists(os.path.join(top, "memory.memsw.limit_in_bytes"))
    groups = [os.path.dirname(path) for path in glob.iglob(os.path.join(glob.escape(top), "*", "memory.max"))]
    return all(os.path.exists(os.path.join(group, "memory.swap.max")) for group in groups)


def _weighs_disks(control_groups: CgroupLayout) -> bool:
    """The files that crun writes a weight to are there with some I/O schedulers only, and not in the topmost
    group.
    """
    is_v2 = control_groups.mode == "v2"
    top = control_groups.controllers.get("io" if is_v2 else "blkio", "")
    names = ("io.bfq.weight", "io.weight") if is_v2 else ("blkio.weight",)
    groups = [
        os.path.dirname(path) for path in glob.iglob(os.path.join(glob.escape(top), "*", "cgroup.procs"))
    ]
    return not groups or any(os.path.exists(os.path.join(group, name)) for group in groups for name in names)


def _machine_name(name: str) -> str:
    """One name for the 32-bit members of a family: `armv6l`, `armv8l` have the system calls of `armv7l`."""
    if name.startswith("armv"):
        return "armv7l"
    return "i686" if re.fullmatch("i[3-6]86", name) else name


def _kernel_version(release: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _bounding_capabilities() -> frozenset[str]:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        masks = [line.split()[1] for line in status if line.startswith("CapBnd:")]
    return capabilities_from_mask(int(masks[0], 16))


def _largest_limits(may_raise: bool) -> dict[str, int]:
    """Nobody gets more open files than `fs.nr_open`; who lacks SYS_RESOURCE gets no more than we have
    ourselves.
    """
    if may_raise:
        with open("/proc/sys/fs/nr_open", encoding="ascii") as file:
            return {"nofile": int(file.read())}
    import resource

    hard = {name: resource.getrlimit(number)[1] for name, number in _resource_numbers(vars(resource))}
    return {name: limit for name, limit in hard.items() if limit != resource.RLIM_INFINITY}


def _resource_numbers(names: dict[str, t.Any]) -> t.Iterator[tuple[str, int]]:
    for name, number in names.items():
        if name.startswith("RLIMIT_"):
            yield name.removeprefix("RLIMIT_").lower(), number


def online(kind: str) -> str:
    """The processors (`cpu`) or memory nodes (`node`) that this host has, as `0-3,6`; empty where it does not
    say.
    """
    try:
        with open(f"/sys/devices/system/{kind}/online", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def find_init_program() -> str:
    """The small init for `init: true`. It has to be static: it runs in containers that may have no C
    library.
    """
    for path in _INIT_PROGRAMS:
        if _is_static_program(path):
            return path
    raise HostNotReady(
        "init: no catatonit, docker-init or tini-static is installed",
        "the role coracle.engine.host installs catatonit",
    )


def _is_static_program(path: str) -> bool:
    """Is it an ELF file without an interpreter? Both word sizes, in the machine's own byte order."""
    try:
        with open(path, "rb") as file:
            header = file.read(_ELF_HEADER)
            if len(header) < _ELF_HEADER or header[:4] != b"\x7fELF" or not os.access(path, os.X_OK):
                return False
            file.seek(0)
            return _ELF_INTERPRETER not in _program_header_types(file.read(4096), header)
    except OSError:
        return False


def _program_header_types(start: bytes, header: bytes) -> set[int]:
    order: t.Literal["big", "little"] = "big" if header[5] == 2 else "little"
    is_64_bit = header[4] == 2

    def number(at: int, size: int) -> int:
        return int.from_bytes(start[at : at + size], order)

    offset = number(32, 8) if is_64_bit else number(28, 4)
    size, count = (number(54, 2), number(56, 2)) if is_64_bit else (number(42, 2), number(44, 2))
    return {number(offset + index * size, 4) for index in range(count)}


def loaded_apparmor_profile(name: str) -> str:
    """`name` when the kernel knows a profile of that name; HostNotReady otherwise."""
    try:
        with open("/sys/kernel/security/apparmor/profiles", encoding="utf-8", errors="replace") as profiles:
            loaded = {line.rsplit(" (", 1)[0] for line in profiles}
    except OSError:
        raise HostNotReady(f"apparmor={name}: this host has no AppArmor", "leave it out") from None
    if name not in loaded:
        raise HostNotReady(
            f"apparmor={name}: no profile of that name is loaded", "load it with apparmor_parser"
        )
    return name
