# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The limits of a container that runs, as an update: with words for "no limit", which the specification of a
new container does not need.

Source: runtime-spec config-linux.md, crun(1) and runc(8) "update"; cgroup-v1/memory.rst.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..errors import CoracleError
from .config import ContainerConfig
from .host_facts import HostFacts
from .spec_resources import DEFAULT_CPU_PERIOD, THROTTLES, build_limits

_NO_LIMIT = -1
_DEFAULT_SHARES = 1024
_SECTIONS = {
    "memory": ("memory", "memory_swap", "memory_reservation"),
    "cpu": ("cpus", "cpu_period", "cpu_quota", "cpu_shares"),
    "cpuset": ("cpuset_cpus", "cpuset_mems"),
    "pids": ("pids_limit",),
    "blockIO": tuple(THROTTLES),
}

LIVE_LIMITS = tuple(option for options in _SECTIONS.values() for option in options)
"""The options that an update can change."""


class Update(t.NamedTuple):
    """`resources`: what the OCI runtime is told. `lifted`: controllers (`cpu`, `pids`) whose limit goes: crun
    has no word for that.
    """

    resources: dict[str, t.Any]
    lifted: tuple[str, ...]


def limits_of(config: ContainerConfig) -> dict[str, t.Any]:
    """Those that are set, by option."""
    return {name: value for name, value in config.to_json().items() if name in LIVE_LIMITS}


def limits_differ(one: ContainerConfig, other: ContainerConfig) -> bool:
    return limits_of(one) != limits_of(other)


def with_limits(config: ContainerConfig, other: ContainerConfig) -> ContainerConfig:
    """`config` with the limits of the other."""
    return dataclasses.replace(config, **{option: getattr(other, option) for option in LIVE_LIMITS})


def live_limits(
    before: ContainerConfig, now: ContainerConfig, host: HostFacts, everything: t.Mapping[str, str]
) -> Update:
    """What has to be told for the limits of `now` to hold where those of `before` held.

    `everything` are the processors and memory nodes that a container without a limit may use: `{"cpus":
    "0-3", "mems": "0"}`. Raises HostNotReady and InvalidInput as for a new container.
    """
    wanted = build_limits(now, host)
    changed = {
        section
        for section, options in _SECTIONS.items()
        if any(getattr(before, option) != getattr(now, option) for option in options)
    }
    resources: dict[str, t.Any] = {}
    lifted = []
    if "memory" in changed:
        resources["memory"] = {**dict.fromkeys(_memory_words(host), _NO_LIMIT), **wanted.get("memory", {})}
    cpu = dict(wanted.get("cpu", {}))
    if "cpu" in changed:
        told = {"shares": _DEFAULT_SHARES, "period": DEFAULT_CPU_PERIOD, **cpu}
        resources["cpu"] = {name: told[name] for name in ("shares", "period", "quota") if name in told}
        lifted += [] if "quota" in cpu else ["cpu"]
    if "cpuset" in changed:
        sets = {name: cpu.get(name, everything.get(name, "")) for name in ("cpus", "mems")}
        resources.setdefault("cpu", {}).update({name: value for name, value in sets.items() if value})
    if "pids" in changed and "pids" in host.controllers:
        resources.update({"pids": wanted["pids"]} if "pids" in wanted else {})
        lifted += [] if "pids" in wanted else ["pids"]
    if "blockIO" in changed:
        resources["blockIO"] = _rates(_block_io_that_was(before, host), wanted.get("blockIO", {}))
    return Update(resources, tuple(lifted))


def _block_io_that_was(before: ContainerConfig, host: HostFacts) -> dict[str, t.Any]:
    """Nothing of a disk that is gone: its rates went with it."""
    try:
        rates: dict[str, t.Any] = build_limits(before, host).get("blockIO", {})
    except CoracleError:
        return {}
    return rates


def _memory_words(host: HostFacts) -> tuple[str, ...]:
    return ("limit", "reservation", "swap") if host.limits_swap else ("limit", "reservation")


def _rates(had: dict[str, t.Any], wanted: dict[str, t.Any]) -> dict[str, t.Any]:
    """A rate of 0 is none."""
    rates: dict[str, t.Any] = {}
    for name in sorted({*had, *wanted}):
        if name.startswith("throttle"):
            by_device = {(each["major"], each["minor"]): {**each, "rate": 0} for each in had.get(name, ())}
            by_device.update({(each["major"], each["minor"]): each for each in wanted.get(name, ())})
            rates[name] = list(by_device.values())
    return rates
