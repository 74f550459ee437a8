# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The OCI runtime specification of one container: config.json, as a value.

Nothing of the image becomes an annotation or a hook: runtimes take orders from those (`run.oci.handler`,
CVE-2026-53488). Runtimes get the program, its limits, what it may see, the annotations of the task and what
root of the host has described for devices that were asked for by name (cdi.py), and no more.
Source: github.com/opencontainers/runtime-spec, version 1.0.2.
"""

from __future__ import annotations

import os
import typing as t

from ..paths import Paths
from .attachments import HOST, shares_network
from .config import ContainerConfig
from .devices import container_devices, named_devices
from .effective import Effective
from .host_facts import HostFacts
from .isolation_values import PRIVATE
from .spec_mounts import build_mounts, root_propagation
from .spec_process import build_process
from .spec_resources import build_resources
from .spec_security import container_filter, hidden_paths
from .unit_values import NOTIFY_DIRECTORY, NOTIFY_NAME
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
    joined: t.Mapping[str, str] | None = None,
) -> dict[str, t.Any]:
    """The document for crun or runc. Pure but for a look at the devices, the init and the profile that were
    asked for.

    `network_namespace` is the path of one that is set up already; without it the runtime makes an empty
    one, unless the container shares the host's. `tmpfs_modes` are the modes of the directories that a
    tmpfs covers (`mount_places.directory_modes`): `/run` stays 0755 and `/tmp` 1777, as with Docker. `places`
    are paths on the host by target, for what has to be looked for (operations/attach_volumes.py). `joined`
    are paths of namespaces of other containers by kind (operations/join_namespaces.py).
    """
    devices = container_devices(config)
    process = build_process(config, effective, user, host)
    if NOTIFY_DIRECTORY in (places or {}):
        process["env"].append(f"NOTIFY_SOCKET={NOTIFY_DIRECTORY}/{NOTIFY_NAME}")
    networks = {} if not network_namespace else {"network": network_namespace}
    linux = {
        "cgroupsPath": f"/{config.cgroup_parent or paths.cgroup_parent}/{container_id}",
        "devices": [device.node() for device in devices],
        "resources": build_resources(config, devices, host),
        "namespaces": _namespaces(config, effective, {**networks, **(joined or {})}, host),
        "rootfsPropagation": root_propagation(effective),
        "sysctl": _sysctls(config, effective),
        "seccomp": container_filter(config, host),
        **hidden_paths(config, host),
    }
    document = {
        "ociVersion": "1.0.2",
        **({} if config.uts == HOST else {"hostname": effective.hostname}),
        "root": {
            "path": os.path.join(paths.container(container_id), "rootfs"),
            "readonly": bool(config.read_only),
        },
        "process": process,
        "mounts": build_mounts(config, effective, container_id, paths, host, tmpfs_modes or {}, places or {}),
        "linux": {name: value for name, value in linux.items() if value or name.endswith("Paths")},
        **({"annotations": config.annotations} if config.annotations else {}),
    }
    named = named_devices(config)
    if named:
        from .cdi import add_devices

        add_devices(document, named)
    return document


def _sysctls(config: ContainerConfig, effective: Effective) -> dict[str, str]:
    """The domain name is one, in the container's own UTS namespace."""
    mode = effective.network_mode
    defaults = {} if mode == HOST or shares_network(mode) else _OWN_NETWORK
    domain = {"kernel.domainname": config.domainname} if config.domainname else {}
    return {**defaults, **domain, **(config.sysctls or {})}


def _namespaces(
    config: ContainerConfig, effective: Effective, paths: t.Mapping[str, str], host: HostFacts
) -> list[dict[str, str]]:
    """Those with a path are there already. A cgroup namespace by default on v2 only: on v1 Docker and Podman
    share the host's too, and programs count on it.
    """
    default = PRIVATE if host.cgroup_mode == "v2" else HOST
    own = {
        "pid": config.pid_mode != HOST,
        "ipc": config.ipc_mode != HOST,
        "uts": config.uts != HOST,
        "mount": True,
        "cgroup": (config.cgroupns_mode or default) == PRIVATE,
        "network": effective.network_mode != HOST,
    }
    kinds = [kind for kind, is_own in own.items() if is_own]
    return [{"type": kind, **({"path": paths[kind]} if kind in paths else {})} for kind in kinds]
