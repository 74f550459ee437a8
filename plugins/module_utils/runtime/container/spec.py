# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The OCI runtime specification of one container: config.json, as a value.

Nothing of the image becomes an annotation or a hook: runtimes take orders from those (`run.oci.handler`,
CVE-2026-53488). Runtimes get the program, its limits, what it may see and the annotations of the task, and
no more.
Source: github.com/opencontainers/runtime-spec, version 1.0.2.
"""

from __future__ import annotations

import os
import typing as t

from ..paths import Paths
from .attachments import HOST, shares_network
from .config import ContainerConfig
from .devices import container_devices
from .effective import Effective
from .host_facts import HostFacts
from .spec_mounts import build_mounts, root_propagation
from .spec_process import build_process
from .spec_resources import build_resources
from .spec_security import container_filter, hidden_paths
from .users import ResolvedUser

_OWN_NETWORK = {"net.ipv4.ping_group_range": "0 0"}
"""Root of the container needs no capability to ping."""


def build_spec(
    container_id: str,
    config: ContainerConfig,
    effective: Effective,
    user: ResolvedUser,
    paths: Paths,
    host: HostFacts,
    network_namespace: str = "",
    tmpfs_modes: t.Mapping[str, int] | None = None,
    places: t.Mapping[str, str] | None = None,
) -> dict[str, t.Any]:
    """The document for crun or runc. Pure but for a look at the devices, the init and the profile that were
    asked for.

    `network_namespace` is the path of one that is set up already; without it the runtime makes an empty
    one, unless the container shares the host's. `tmpfs_modes` are the modes of the directories that a
    tmpfs covers (`mount_places.directory_modes`): `/run` stays 0755 and `/tmp` 1777, as with Docker. `places`
    are paths on the host by target, for what has to be looked for (operations/attach_volumes.py).
    """
    devices = container_devices(config)
    own_network = effective.network_mode != HOST
    linux = {
        "cgroupsPath": f"/{paths.cgroup_parent}/{container_id}",
        "devices": [device.node() for device in devices],
        "resources": build_resources(config, devices, host),
        "namespaces": _namespaces(own_network, network_namespace, host),
        "rootfsPropagation": root_propagation(effective),
        "sysctl": _sysctls(config, effective),
        "seccomp": container_filter(config, host),
        **hidden_paths(config, host),
    }
    return {
        "ociVersion": "1.0.2",
        "hostname": effective.hostname,
        "root": {
            "path": os.path.join(paths.container(container_id), "rootfs"),
            "readonly": bool(config.read_only),
        },
        "process": build_process(config, effective, user, host),
        "mounts": build_mounts(config, effective, container_id, paths, host, tmpfs_modes or {}, places or {}),
        "linux": {name: value for name, value in linux.items() if value or name.endswith("Paths")},
        **({"annotations": config.annotations} if config.annotations else {}),
    }


def _sysctls(config: ContainerConfig, effective: Effective) -> dict[str, str]:
    """The domain name is one, in the container's own UTS namespace."""
    mode = effective.network_mode
    defaults = {} if mode == HOST or shares_network(mode) else _OWN_NETWORK
    domain = {"kernel.domainname": config.domainname} if config.domainname else {}
    return {**defaults, **domain, **(config.sysctls or {})}


def _namespaces(own_network: bool, network_path: str, host: HostFacts) -> list[dict[str, str]]:
    """A cgroup namespace on v2 only: on v1 Docker and Podman share the host's too, and programs count on
    it.
    """
    kinds = ["pid", "ipc", "uts", "mount", *(["cgroup"] if host.cgroup_mode == "v2" else [])]
    network = {"type": "network", **({"path": network_path} if network_path else {})}
    return [{"type": kind} for kind in kinds] + ([network] if own_network else [])
