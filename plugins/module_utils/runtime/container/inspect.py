# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container in the shape of `docker inspect`, so that the filters and templates people have keep working.

A pure function of record, status and paths; `NetworkSettings` are added by operations/inspect_container.py.
Source of the shape: Docker Engine API 1.47, `GET
/containers/{id}/json`. Keys that describe what this engine does not have are left out, except where
templates commonly reach into them.
"""

from __future__ import annotations

import os
import typing as t

from ..errors import CoracleError
from ..oci.reference import familiar_name
from ..paths import Paths
from .attachments import network_mode
from .config import ContainerConfig
from .devices import named_devices
from .effective import Effective, effective_of
from .health import healthcheck_of
from .records import ContainerRecord
from .status import Status

NEVER = "0001-01-01T00:00:00Z"
"""Docker's word for a time that has not come."""


def inspect(paths: Paths, record: ContainerRecord, status: Status) -> dict[str, t.Any]:
    """A record with the id `` is a container that is yet to be made: it has no paths, and perhaps no image
    yet.
    """
    try:
        whole: Effective | None = effective_of(record)
    except CoracleError:
        whole = None  # only of a container that is yet to be made: its image is not here
    directory = paths.container(record.id) if record.id else ""
    arguments = whole.arguments if whole else list(record.config.command or ())
    return {
        "Id": record.id,
        "Created": record.created or NEVER,
        "Path": arguments[0] if arguments else "",
        "Args": arguments[1:],
        "State": _state(status),
        "Image": record.image_id,
        "ResolvConfPath": _below(directory, "resolv.conf"),
        "HostnamePath": _below(directory, "hostname"),
        "HostsPath": _below(directory, "hosts"),
        "LogPath": _below(directory, "ctr.log") if record.config.log_driver in (None, "k8s-file") else "",
        "Name": f"/{record.name}",
        "RestartCount": record.state.restart_count,
        "Driver": "overlay",
        "Platform": record.image.os,
        "HostConfig": _host_config(paths, record, whole),
        "GraphDriver": {
            "Name": "overlay",
            "Data": {
                "MergedDir": _below(directory, "rootfs"),
                "UpperDir": _below(directory, "upper"),
                "WorkDir": _below(directory, "work"),
            },
        },
        "Mounts": _mounts(paths, whole, record.config),
        "Config": _config(record, whole),
        **({"KeptSince": record.state.kept_since} if record.state.kept_since else {}),
    }


def _mounts(paths: Paths, whole: Effective | None, config: ContainerConfig) -> list[dict[str, t.Any]]:
    if whole is None or not (whole.volumes or config.mounts):
        return []
    from .inspect_mounts import inspect_mounts

    return inspect_mounts(paths, whole, config)


def _asked_storage(config: ContainerConfig) -> dict[str, t.Any]:
    if not (config.volumes or config.mounts or config.volumes_from):
        return {"Binds": [], "Mounts": [], "VolumesFrom": []}
    from .inspect_mounts import asked_mount, bind_texts, source_text

    return {
        "Binds": bind_texts(config.volumes or ()),
        "Mounts": [asked_mount(mount) for mount in config.mounts or ()],
        "VolumesFrom": [source_text(source) for source in config.volumes_from or ()],
    }


def _below(directory: str, name: str) -> str:
    return os.path.join(directory, name) if directory else ""


def _state(status: Status) -> dict[str, t.Any]:
    return {
        "Status": status.status,
        "Running": status.status in ("running", "paused", "restarting"),
        "Paused": status.status == "paused",
        "Restarting": status.status == "restarting",
        "OOMKilled": status.oom_killed,
        "Dead": False,
        "Pid": status.pid,
        "ExitCode": status.exit_code,
        "Error": status.error,
        "StartedAt": status.started_at or NEVER,
        "FinishedAt": status.finished_at or NEVER,
    }


def _config(record: ContainerRecord, whole: Effective | None) -> dict[str, t.Any]:
    """What runs inside: the image's part and what was asked for, merged."""
    config, image = record.config, record.image
    return {
        "Hostname": whole.hostname if whole else config.hostname or "",
        "Domainname": config.domainname or "",
        "User": whole.user if whole else config.user or "",
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "ExposedPorts": {port: {} for port in _exposed(record)},
        "Tty": bool(config.tty),
        "OpenStdin": bool(config.interactive),
        "StdinOnce": False,
        "Env": [f"{name}={value}" for name, value in _environment(record, whole).items()],
        "Cmd": config.command or ([] if config.entrypoint else list(image.cmd)),
        "Image": familiar_name(record.image_name),
        "Volumes": {path: {} for path in image.volumes} or None,
        "WorkingDir": whole.working_dir if whole else config.working_dir or "",
        "Entrypoint": list(image.entrypoint) or None if config.entrypoint is None else config.entrypoint,
        "Labels": {**image.labels, **(config.labels or {})},
        "StopSignal": config.stop_signal or image.stop_signal or "SIGTERM",
        "StopTimeout": whole.stop_timeout if whole else config.stop_timeout,
        "Healthcheck": healthcheck_of(config, image.healthcheck),
        **_secrets(config),
    }


def _secrets(config: ContainerConfig) -> dict[str, t.Any]:
    if not config.secrets:
        return {}
    from .secret_values import inspect_secrets

    return {"Secrets": inspect_secrets(config)}


def _exposed(record: ContainerRecord) -> list[str]:
    config = record.config
    published = [f"{port['container_port']}/{port['protocol']}" for port in config.published_ports or ()]
    return sorted({*record.image.exposed_ports, *(config.exposed_ports or ()), *published})


def _bindings(config: ContainerConfig) -> dict[str, t.Any]:
    """Ports of the host that were asked for, by port of the container."""
    bindings: dict[str, t.Any] = {}
    for port in config.published_ports or ():
        first, last = port["host_port"], port["host_port_end"]
        host_port = "" if not last else str(first) if first == last else f"{first}-{last}"
        binding = {"HostIp": port["host_ip"] or config.default_host_ip or "", "HostPort": host_port}
        bindings.setdefault(f"{port['container_port']}/{port['protocol']}", []).append(binding)
    return bindings


def _environment(record: ContainerRecord, whole: Effective | None) -> dict[str, str]:
    """Without HOSTNAME and TERM where only the engine gives them, as Docker shows it."""
    environment = dict(whole.environment if whole else record.config.env or {})
    given = {*(record.config.env or ()), *(entry.partition("=")[0] for entry in record.image.env)}
    for name in ("HOSTNAME", "TERM"):
        if name not in given:
            environment.pop(name, None)
    return environment


def _host_config(paths: Paths, record: ContainerRecord, whole: Effective | None) -> dict[str, t.Any]:
    """What was asked of the host. Docker's spellings: 0 and empty are `no limit`, -1 is unlimited."""
    config = record.config
    return {
        **_asked_storage(config),
        "LogConfig": {"Type": config.log_driver or "k8s-file", "Config": config.log_options or {}},
        "NetworkMode": network_mode(config),
        "PortBindings": _bindings(config),
        "PublishAllPorts": bool(config.publish_all_ports),
        "Dns": config.dns_servers or [],
        "DnsOptions": config.dns_opts or [],
        "DnsSearch": config.dns_search_domains or [],
        "ExtraHosts": [f"{name}:{address}" for name, address in (config.etc_hosts or {}).items()],
        "Sysctls": config.sysctls or {},
        "RestartPolicy": {
            "Name": config.restart_policy or "no",
            "MaximumRetryCount": config.restart_retries or 0,
        },
        "AutoRemove": bool(config.auto_remove),
        "CapAdd": config.capabilities,
        "CapDrop": config.cap_drop,
        "GroupAdd": config.groups,
        "OomScoreAdj": config.oom_score_adj or 0,
        "Privileged": bool(config.privileged),
        "ReadonlyRootfs": bool(config.read_only),
        "SecurityOpt": config.security_opts,
        "Tmpfs": config.tmpfs or {},
        "ShmSize": config.shm_size or 64 * 1024**2,
        "Runtime": config.runtime or "crun",
        "CgroupParent": config.cgroup_parent or paths.cgroup_parent,
        **_limits(config),
        "CgroupnsMode": config.cgroupns_mode or "",
        "IpcMode": config.ipc_mode or "private",
        "PidMode": config.pid_mode or "",
        "UTSMode": config.uts or "",
        "Annotations": config.annotations or {},
        "Init": bool(config.init),
    }


def _limits(config: ContainerConfig) -> dict[str, t.Any]:
    """What it may use: memory, processors, disks, devices."""
    return {
        "Memory": config.memory or 0,
        "MemorySwap": config.memory_swap or 2 * (config.memory or 0),
        "MemoryReservation": config.memory_reservation or 0,
        "NanoCpus": round((config.cpus or 0) * 10**9),
        "CpuShares": config.cpu_shares or 0,
        "CpuPeriod": config.cpu_period or 0,
        "CpuQuota": config.cpu_quota or 0,
        "CpusetCpus": config.cpuset_cpus or "",
        "CpusetMems": config.cpuset_mems or "",
        "PidsLimit": 2048 if config.pids_limit is None else config.pids_limit,
        "MemorySwappiness": config.memory_swappiness,
        "OomKillDisable": bool(config.oom_killer),
        "BlkioWeight": config.blkio_weight or 0,
        "BlkioDeviceReadBps": _rates(config.device_read_bps),
        "BlkioDeviceWriteBps": _rates(config.device_write_bps),
        "BlkioDeviceReadIOps": _rates(config.device_read_iops),
        "BlkioDeviceWriteIOps": _rates(config.device_write_iops),
        "DeviceCgroupRules": config.device_cgroup_rules,
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]}
            for limit in config.ulimits or ()
        ],
        "Devices": [
            {
                "PathOnHost": device["path_on_host"],
                "PathInContainer": device["path_in_container"],
                "CgroupPermissions": device["permissions"],
            }
            for device in config.devices or ()
            if device["path_on_host"].startswith("/")
        ],
        "DeviceRequests": _device_requests(config),
    }


def _device_requests(config: ContainerConfig) -> list[dict[str, t.Any]] | None:
    names = named_devices(config)
    if not names:
        return None
    return [{"Driver": "cdi", "Count": 0, "DeviceIDs": names, "Capabilities": None, "Options": {}}]


def _rates(asked: list[dict[str, t.Any]] | None) -> list[dict[str, t.Any]]:
    return [{"Path": each["path"], "Rate": each["rate"]} for each in asked or ()]
