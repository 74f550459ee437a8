# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`linux.resources` of the runtime specification: limits as control groups know them."""

from __future__ import annotations

import typing as t

from ..errors import HostNotReady, InvalidInput
from .config import ContainerConfig
from .devices import Device, device_rules
from .host_facts import HostFacts, online
from .values import UNLIMITED, numbers_of

DEFAULT_PIDS_LIMIT = 2048
_CPU_PERIOD = 100_000  # microseconds, the kernel's default


def build_resources(
    config: ContainerConfig, devices: t.Sequence[Device], host: HostFacts
) -> dict[str, t.Any]:
    """Raises HostNotReady when a limit that was asked for has no controller on this host, InvalidInput for a
    processor or memory node that it does not have.
    """
    _check_sets(config)
    sections = {"memory": _memory(config, host), "cpu": _cpu(config), "pids": _pids(config, host)}
    _check_controllers(config, host)
    resources: dict[str, t.Any] = {"devices": device_rules(devices, everything=bool(config.privileged))}
    resources.update({name: section for name, section in sections.items() if section})
    return resources


def _memory(config: ContainerConfig, host: HostFacts) -> dict[str, int]:
    """Swap defaults to as much again as the memory, as for Docker, where the kernel counts swap at all."""
    limits = {"limit": config.memory, "reservation": config.memory_reservation, "swap": config.memory_swap}
    if config.memory is not None and config.memory_swap is None and host.limits_swap:
        limits["swap"] = 2 * config.memory
    return {name: value for name, value in limits.items() if value is not None}


def _cpu(config: ContainerConfig) -> dict[str, t.Any]:
    limits: dict[str, t.Any] = {
        "shares": config.cpu_shares,
        "quota": config.cpu_quota,
        "period": config.cpu_period,
        "cpus": config.cpuset_cpus,
        "mems": config.cpuset_mems,
    }
    if config.cpus is not None:
        limits.update(quota=round(config.cpus * _CPU_PERIOD), period=_CPU_PERIOD)
    return {name: value for name, value in limits.items() if value is not None}


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


def _check_controllers(config: ContainerConfig, host: HostFacts) -> None:
    needs = {
        "memory": (config.memory, config.memory_swap, config.memory_reservation),
        "cpu": (config.cpus, config.cpu_shares, config.cpu_quota, config.cpu_period),
        "cpuset": (config.cpuset_cpus, config.cpuset_mems),
        "pids": (config.pids_limit if config.pids_limit != UNLIMITED else None,),
    }
    for controller, values in needs.items():
        if controller not in host.controllers and any(value is not None for value in values):
            raise HostNotReady(
                f"the {controller} controller is not enabled on this host",
                f"boot the kernel with cgroup_enable={controller} or leave out the limits that need it",
            )
    if config.memory_swap is not None and not host.limits_swap:
        raise HostNotReady(
            "memory_swap: the kernel of this host does not count swap",
            "boot it with swapaccount=1 or leave it out",
        )
