# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What hides the host from the container: masked and read-only paths, the system call filter."""

from __future__ import annotations

import typing as t

from .capabilities import granted_capabilities
from .config import ContainerConfig
from .host_facts import HostFacts
from .seccomp import seccomp_filter
from .security_values import read_security_opts

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
)
"""The union of Docker's and Podman's; `HostFacts.side_channels` come on top."""

READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def hidden_paths(config: ContainerConfig, host: HostFacts) -> dict[str, list[str]]:
    """`maskedPaths` and `readonlyPaths`; `mask=` adds to the first, `unmask=` takes away from both."""
    security = read_security_opts(config.security_opts or ())
    if config.privileged or "ALL" in security.unmask:
        return {"maskedPaths": list(security.mask), "readonlyPaths": []}
    masked = {*MASKED_PATHS, *host.side_channels}.difference(security.unmask).union(security.mask)
    return {
        "maskedPaths": sorted(masked),
        "readonlyPaths": sorted({*READ_ONLY_PATHS}.difference(security.unmask)),
    }


def container_filter(config: ContainerConfig, host: HostFacts) -> dict[str, t.Any] | None:
    """`linux.seccomp`. None for a privileged container, unless a profile is named, and for `unconfined`."""
    choice = read_security_opts(config.security_opts or ()).seccomp
    if config.privileged and choice == "default":
        return None
    return seccomp_filter(choice, granted_capabilities(config, host.bounding), host.machine)
