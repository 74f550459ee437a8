# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`linux.resources` of the runtime specification: limits as control groups know them."""

from __future__ import annotations

import typing as t

from ..errors import HostNotReady, InvalidInput
from .config import ContainerConfig
from .devices import Device, block_device, device_rules, rule_of
from .host_facts import HostFacts, online
from .values import UNLIMITED, numbers_of

DEFAULT_PIDS_LIMIT = 2048
THROTTLES = {
    "device_read_bps": "throttleReadBpsDevice",
    "device_write_bps": "throttleWriteBpsDevice",
    "device_read_iops": "throttleReadIOPSDevice",
    "device_write_iops": "throttleWriteIOPSDevice",
}
"""Options and their names in the specification."""
DEFAULT_CPU_PERIOD = 100_000  # microseconds, the kernel's


def build_resources(
    config: ContainerConfig, devices: t.Sequence[Device], host: HostFacts
) -> dict[str, t.Any]:
    """All of it; raises as `build_limits`."""
    rules = device_rules(devices, everything=bool(config.privileged))
    asked = [rule_of(text) for text in config.device_cgroup_rules or ()]
    return {"devices": [*rules, *asked], **build_limits(config, host)}


def build_limits(config: ContainerConfig, host: HostFacts) -> dict[str, t.Any]:
    """The sections that set a limit.

    Raises HostNotReady when one that was asked for has no controller on this host, InvalidInput for a
    processor or memory node that it does not have.
    """
    check_cpus(config)
    _check_sets(config)
    _check_controllers(config, host)
    sections = {
        "memory": _memory(config, host),
        "cpu": _cpu(config),
        "pids": _pids(config, host),
        "blockIO": _block_io(config),
    }
    return {name: section for name, section in sections.items() if section}


def _memory(config: ContainerConfig, host: HostFacts) -> dict[str, t.Any]:
    """Swap defaults to as much again as the memory, as for Docker, where the kernel counts swap at all."""
    limits = {"limit": config.memory, "reservation": config.memory_reservation, "swap": config.memory_swap}
    if config.memory is not None and config.memory_swap is None and host.limits_swap:
        limits["swap"] = 2 * config.memory
    limits["swappiness"] = config.memory_swappiness
    given: dict[str, t.Any] = {name: value for name, value in limits.items() if value is not None}
    return {**given, "disableOOMKiller": True} if config.oom_killer else given


def _cpu(config: ContainerConfig) -> dict[str, t.Any]:
    limits: dict[str, t.Any] = {
        "shares": config.cpu_shares,
        "quota": config.cpu_quota,
        "period": config.cpu_period,
        "cpus": config.cpuset_cpus,
        "mems": config.cpuset_mems,
    }
    if config.cpus is not None:
        limits.update(quota=round(config.cpus * DEFAULT_CPU_PERIOD), period=DEFAULT_CPU_PERIOD)
    return {name: value for name, value in limits.items() if value is not None}


def _block_io(config: ContainerConfig) -> dict[str, t.Any]:
    weight = {} if config.blkio_weight is None else {"weight": config.blkio_weight}
    rates = {
        section: [_rate(option, asked) for asked in getattr(config, option) or ()]
        for option, section in THROTTLES.items()
    }
    return {**weight, **{section: devices for section, devices in rates.items() if devices}}


def _rate(option: str, asked: dict[str, t.Any]) -> dict[str, int]:
    major, minor = block_device(asked["path"], option)
    return {"major": major, "minor": minor, "rate": asked["rate"]}


def check_cpus(config: ContainerConfig) -> None:
    """As Docker does: more than there are would be no limit, and is rather a mistake."""
    there = len(numbers_of(online("cpu") or "0")) if config.cpus else 0
    if config.cpus and config.cpus > there:
        raise InvalidInput(
            f"cpus: range of CPUs is from 0.01 to {there}.00, as there are only {there} CPUs available",
            "ask for less, or leave it out for no limit",
            option="cpus",
        )


def _check_sets(config: ContainerConfig) -> None:
    for option, wanted, kind, what in (
        ("cpuset_cpus", config.cpuset_cpus, "cpu", "processors"),
        ("cpuset_mems", config.cpuset_mems, "node", "memory nodes"),
    ):
        there = online(kind) if wanted else ""
        missing = numbers_of(wanted).difference(numbers_of(there)) if wanted and there else ()
        if missing:
            raise InvalidInput(
                f"{option}: {wanted!r} names {', '.join(map(str, sorted(missing)[:8]))},"
                f" and the {what} of this host are {there}",
                "name only those, or leave it out for all",
                option=option,
            )


def _pids(config: ContainerConfig, host: HostFacts) -> dict[str, int]:
    limit = DEFAULT_PIDS_LIMIT if config.pids_limit is None else config.pids_limit
    return {"limit": limit} if limit != UNLIMITED and "pids" in host.controllers else {}


def check_weight(host: HostFacts) -> None:
    if not host.weighs_disks:
        raise HostNotReady(
            "blkio_weight: the disks of this host have no scheduler that knows weights",
            "leave it out, or limit device_read_bps and its like",
        )


def _check_controllers(config: ContainerConfig, host: HostFacts) -> None:
    io = "io" if host.cgroup_mode == "v2" else "blkio"
    needs = {
        "memory": (config.memory, config.memory_swap, config.memory_reservation),
        "cpu": (config.cpus, config.cpu_shares, config.cpu_quota, config.cpu_period),
        "cpuset": (config.cpuset_cpus, config.cpuset_mems),
        "pids": (config.pids_limit if config.pids_limit != UNLIMITED else None,),
        io: (config.blkio_weight, *(getattr(config, option) for option in THROTTLES)),
    }
    for controller, values in needs.items():
        if controller not in host.controllers and any(value is not None for value in values):
            raise HostNotReady(
                f"the {controller} controller is not enabled on this host",
                f"boot the kernel with cgroup_enable={controller} or leave out the limits that need it",
            )
    if config.blkio_weight is not None:
        check_weight(host)
    if host.cgroup_mode == "v2":
        for option in ("memory_swappiness", "oom_killer"):
            if getattr(config, option):
                raise HostNotReady(
                    f"{option}: control groups v2, which this host has, know no such setting",
                    "leave it out",
                )
    if config.memory_swap is not None and not host.limits_swap:
        raise HostNotReady(
            "memory_swap: the kernel of this host does not count swap",
            "boot it with swapaccount=1 or leave it out",
        )
