# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `container`: those that describe a container (rows of the option table) and those that say
what to do.
"""

from __future__ import annotations

import typing as t

from ..runtime.container.config import ContainerConfig
from ..runtime.container.values import parse_container_name, parse_seconds, parse_signal, refuse
from ..runtime.errors import doing
from ..runtime.reconcile.container_fields import FIELDS, described
from ..runtime.reconcile.container_request import Request
from .argspec import ArgumentSpec
from .docker_options import check_docker_options

if t.TYPE_CHECKING:
    from ..runtime.container.ready import Ready

_PULL_POLICIES = ("missing", "always", "never", "newer")
_LIST = {"type": "list", "elements": "str"}

_RATES = {
    "type": "list",
    "elements": "dict",
    "options": {"path": {"type": "str", "required": True}, "rate": {"type": "str", "required": True}},
}

_DEVICE_REQUEST = {
    "driver": {"type": "str"},
    "count": {"type": "int"},
    "device_ids": _LIST,
    "capabilities": {"type": "list", "elements": "list"},
    "options": {"type": "dict"},
}

_MOUNT = {
    "target": {"type": "str", "required": True},
    "source": {"type": "str"},
    "type": {"type": "str", "default": "volume", "choices": ["bind", "image", "tmpfs", "volume"]},
    "read_only": {"type": "bool"},
    "consistency": {"type": "str", "choices": ["default", "consistent", "cached", "delegated"]},
    "propagation": {
        "type": "str",
        "choices": ["private", "rprivate", "shared", "rshared", "slave", "rslave"],
    },
    "create_mountpoint": {"type": "bool"},
    "non_recursive": {"type": "bool"},
    "read_only_non_recursive": {"type": "bool"},
    "read_only_force_recursive": {"type": "bool"},
    "no_copy": {"type": "bool"},
    "labels": {"type": "dict"},
    "volume_driver": {"type": "str"},
    "volume_options": {"type": "dict"},
    "subpath": {"type": "str"},
    "tmpfs_size": {"type": "str"},
    "tmpfs_mode": {"type": "str"},
    "tmpfs_options": {"type": "list", "elements": "raw"},
}

_NETWORK = {
    "name": {"type": "str", "required": True},
    "ipv4_address": {"type": "str"},
    "ipv6_address": {"type": "str"},
    "mac_address": {"type": "str"},
    "aliases": _LIST,
    "links": _LIST,
    "driver_opts": {"type": "dict"},
    "gw_priority": {"type": "int", "aliases": ["priority"]},
}

_SECRET = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str", "no_log": True},
    "path": {"type": "path"},
    "target": {"type": "str"},
    "uid": {"type": "int"},
    "gid": {"type": "int"},
    "mode": {"type": "raw"},
    "env": {"type": "str"},
}

_READY = {
    "tcp": {"type": "dict", "options": {"port": {"type": "int", "required": True}}},
    "http": {
        "type": "dict",
        "options": {
            "port": {"type": "int", "required": True},
            "path": {"type": "str", "default": "/"},
            "status": {"type": "list", "elements": "int"},
        },
    },
    "exec": _LIST,
    "interval": {"type": "str", "default": "1s"},
    "timeout": {"type": "str", "default": "60s"},
}

_HEALTHCHECK = {
    "test": {"type": "raw"},
    "test_cli_compatible": {"type": "bool", "default": False},
    "interval": {"type": "str"},
    "timeout": {"type": "str"},
    "start_period": {"type": "str"},
    "start_interval": {"type": "str"},
    "retries": {"type": "int"},
}

DESCRIPTION = ArgumentSpec(
    {
        "image": {"type": "str"},
        "platform": {"type": "str"},
        "command": {"type": "raw"},
        "entrypoint": _LIST,
        "env": {"type": "dict"},
        "env_file": {"type": "path"},
        "labels": {"type": "dict"},
        "working_dir": {"type": "str"},
        "user": {"type": "str"},
        "groups": _LIST,
        "hostname": {"type": "str"},
        "tty": {"type": "bool"},
        "interactive": {"type": "bool"},
        "init": {"type": "bool"},
        "stop_signal": {"type": "str"},
        "stop_timeout": {"type": "int"},
        "volumes": _LIST,
        "mounts": {"type": "list", "elements": "dict", "options": _MOUNT},
        "volumes_from": _LIST,
        "tmpfs": _LIST,
        "read_only": {"type": "bool"},
        "shm_size": {"type": "str"},
        "memory": {"type": "str"},
        "memory_swap": {"type": "str"},
        "memory_reservation": {"type": "str"},
        "cpus": {"type": "float"},
        "cpu_period": {"type": "int"},
        "cpu_quota": {"type": "int"},
        "cpu_shares": {"type": "int"},
        "cpuset_cpus": {"type": "str"},
        "cpuset_mems": {"type": "str"},
        "pids_limit": {"type": "int"},
        "memory_swappiness": {"type": "int"},
        "oom_killer": {"type": "bool"},
        "blkio_weight": {"type": "int"},
        "device_read_bps": _RATES,
        "device_write_bps": _RATES,
        "device_read_iops": _RATES,
        "device_write_iops": _RATES,
        "ulimits": _LIST,
        "oom_score_adj": {"type": "int"},
        "capabilities": _LIST,
        "cap_drop": _LIST,
        "privileged": {"type": "bool"},
        "security_opts": _LIST,
        "devices": _LIST,
        "device_requests": {"type": "list", "elements": "dict", "options": _DEVICE_REQUEST},
        "device_cgroup_rules": _LIST,
        "umask": {"type": "raw"},
        "annotations": {"type": "dict"},
        "cgroup_parent": {"type": "str"},
        "cgroupns_mode": {"type": "str"},
        "ipc_mode": {"type": "str"},
        "pid_mode": {"type": "str"},
        "uts": {"type": "str"},
        "timezone": {"type": "str"},
        "healthcheck": {"type": "dict", "options": _HEALTHCHECK},
        "network_mode": {"type": "str"},
        "networks": {"type": "list", "elements": "dict", "options": _NETWORK},
        "networks_cli_compatible": {"type": "bool"},
        "mac_address": {"type": "str"},
        "links": _LIST,
        "published_ports": {**_LIST, "aliases": ["ports"]},
        "publish_all_ports": {"type": "bool"},
        "exposed_ports": {**_LIST, "aliases": ["expose", "exposed"]},
        "default_host_ip": {"type": "str"},
        "domainname": {"type": "str"},
        "dns_servers": _LIST,
        "dns_search_domains": _LIST,
        "dns_opts": _LIST,
        "etc_hosts": {"type": "dict"},
        "sysctls": {"type": "dict"},
        "runtime": {"type": "str"},
        "log_driver": {"type": "str"},
        "log_options": {"type": "dict", "aliases": ["log_opt"]},
        "secrets": {"type": "list", "elements": "dict", "options": _SECRET, "no_log": False},
        "requires": _LIST,
        "sdnotify": {"type": "str"},
        "restart_policy": {"type": "str"},
        "restart_retries": {"type": "int"},
        "auto_remove": {"type": "bool"},
    }
)

CONTROL = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "state": {
            "type": "str",
            "default": "started",
            "choices": ["absent", "healthy", "present", "started", "stopped"],
        },
        "healthy_wait_timeout": {"type": "float", "default": 300.0},
        "ready": {"type": "dict", "options": _READY},
        "replace": {"type": "str", "default": "stop-first", "choices": ["start-first", "stop-first"]},
        "drain_timeout": {"type": "float", "default": 10.0},
        "keep_previous": {"type": "int"},
        "rollback": {"type": "bool", "default": False},
        "pull": {"type": "raw", "default": "missing", "choices": [*_PULL_POLICIES, True, False]},
        "comparisons": {"type": "dict", "default": {}},
        "image_name_mismatch": {"type": "str", "default": "ignore", "choices": ["ignore", "recreate"]},
        "new_name": {"type": "str"},
        "restart": {"type": "bool", "default": False},
        "recreate": {"type": "bool", "default": False},
        "paused": {"type": "bool"},
        "force_kill": {"type": "bool", "default": False, "aliases": ["forcekill"]},
        "kill_signal": {"type": "str"},
        "detach": {"type": "bool", "default": True},
        "cleanup": {"type": "bool", "default": False},
        "keep_volumes": {"type": "bool", "default": False},
    }
)


def read_description(params: dict[str, t.Any]) -> ContainerConfig:
    """What the task says about the container, in normal form. InvalidInput names the option that is wrong."""
    if params["state"] == "absent":
        return _what_removal_needs(params)
    with doing(f"container {params['name']}"):
        check_docker_options(params)
        _check_umask(params["umask"])
        config = described({**params, "env": _environment(params)})
        config.image = _image_name(params["image"])
        config.platform = _platform(params["platform"])
    return config


def _check_umask(value: t.Any) -> None:
    """YAML makes 18 of `0022` and 22 of `22`: a number whose digits are octal may have been either."""
    digits = str(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 8 or set(digits) & set("89"):
        return
    raise refuse(
        value,
        "umask",
        "is a number, and nobody can tell which digits were written",
        f'quote the octal digits: "{digits:0>4}", or "{value:04o}" if they began with a 0',
    )


def read_request(params: dict[str, t.Any], registry: t.Any) -> Request:
    """What the task wants done; `registry` are the options for pulling."""
    given = [field.name for field in FIELDS if params[field.name] is not None]
    given += ["env"] if params["env_file"] else []
    given += ["platform"] if params["platform"] else []
    return Request(
        name=parse_container_name(params["name"], "name"),
        state="started" if params["state"] == "healthy" else params["state"],
        healthy=params["state"] == "healthy",
        healthy_wait_timeout=params["healthy_wait_timeout"],
        ready=_ready(params["ready"]),
        start_first=params["replace"] == "start-first",
        drain_timeout=params["drain_timeout"],
        keep_previous=params["keep_previous"],
        rollback=params["rollback"],
        given=frozenset(given),
        new_name=parse_container_name(params["new_name"], "new_name") if params["new_name"] else None,
        restart=params["restart"],
        recreate=params["recreate"],
        paused=params["paused"],
        force_kill=params["force_kill"],
        kill_signal=parse_signal(params["kill_signal"], "kill_signal") if params["kill_signal"] else None,
        detach=params["detach"],
        cleanup=params["cleanup"],
        keep_volumes=params["keep_volumes"],
        pull={True: "always", False: "missing"}.get(params["pull"], params["pull"]),
        registry=registry,
        comparisons=_comparisons(params["comparisons"]),
        renamed_image_counts=params["image_name_mismatch"] == "recreate",
    )


def _ready(given: dict[str, t.Any] | None) -> Ready | None:
    if given is None:
        return None
    from ..runtime.container.ready import parse_ready

    return parse_ready(given, "ready")


def _comparisons(given: dict[str, t.Any]) -> dict[str, str]:
    if not given:
        return {}
    from ..runtime.reconcile.comparisons import parse_comparisons

    return parse_comparisons(given, "comparisons")


def _what_removal_needs(params: dict[str, t.Any]) -> ContainerConfig:
    """`state: absent` looks at nothing but how to stop: a task may keep its whole description."""
    timeout = params["stop_timeout"]
    return ContainerConfig(stop_timeout=None if timeout is None else parse_seconds(timeout, "stop_timeout"))


def _image_name(text: str | None) -> str | None:
    if text is None:
        return None
    from ..runtime.content.images import full_id
    from ..runtime.oci.reference import is_image_id, parse_reference

    return full_id(text) if is_image_id(text) else parse_reference(text).canonical


def _platform(text: str | None) -> str | None:
    if text is None:
        return None
    from ..runtime.oci.platforms import parse_platform

    return str(parse_platform(text))


def _environment(params: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """`env` over what is in `env_file`, a file on the target."""
    path, env = params["env_file"], params["env"]
    if path is None:
        return env
    from ..runtime.container.environment_values import parse_env_file
    from ..runtime.linux.files import read_asked_file

    content = read_asked_file("env_file", path, 1 << 20)
    return {**parse_env_file(content, path), **(env or {})}
