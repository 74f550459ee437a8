# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which capabilities a container gets: Podman's eleven, plus and minus what was asked, within what the host
has.
"""

from __future__ import annotations

import typing as t

from ..errors import HostNotReady
from .config import ContainerConfig
from .security_values import CAPABILITIES

DEFAULT_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
)  # fmt: skip
"""Docker adds AUDIT_WRITE, MKNOD and NET_RAW; ping works without (`net.ipv4.ping_group_range`)."""


def capabilities_from_mask(mask: int) -> frozenset[str]:
    """The names of the bits set in `CapBnd` of /proc/<pid>/status."""
    return frozenset(name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1)


def granted_capabilities(config: ContainerConfig, bounding: t.Collection[str]) -> list[str]:
    """Sorted names without `CAP_`. Drops win over `ALL` in `capabilities`; named additions win over `ALL`
    in `cap_drop`.

    Raises HostNotReady for one that was asked for by name and that this process may not hand on itself.
    """
    if config.privileged:
        return sorted(bounding)
    asked = set(config.capabilities or ()).difference({"ALL"})
    refused = sorted(asked.difference(bounding))
    if refused:
        raise HostNotReady(f"capabilities: {refused[0]} is not ours to give on this host", "leave it out")
    dropped = set(config.cap_drop or ())
    everything = "ALL" in (config.capabilities or ())
    base = set(bounding) if everything else set(DEFAULT_CAPABILITIES).intersection(bounding)
    kept = set() if "ALL" in dropped else base.difference(dropped)
    return sorted(kept.union(asked))


def process_capabilities(names: t.Sequence[str], uid: int) -> dict[str, list[str]]:
    """`process.capabilities`. Inheritable and ambient stay empty (CVE-2022-24769).

    A user other than root gets a bounding set only, as execve(2) would leave it: programs with file
    capabilities or the setuid bit still find theirs.
    """
    full = [f"CAP_{name}" for name in names]
    held = full if uid == 0 else []
    return {"bounding": full, "effective": held, "permitted": held, "inheritable": [], "ambient": []}
