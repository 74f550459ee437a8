# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The option table: one row for each option that describes a container.

A row says how the option is read, how two values of it compare, what not giving it means, and what a change
needs. Rows have the names of the options of `container` and of the fields of `ContainerConfig`; a unit test
holds them together with the documentation. Adding an option is a row here, a field there, an argument, a
paragraph, and its line in `spec_*`.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..container.attachments import DEFAULT_NETWORK_MODE
from ..container.config import ContainerConfig
from ..errors import InvalidInput, raise_all
from .differences import LIVE, RECREATE

if t.TYPE_CHECKING:
    from ..container.values import RestartPolicy
    from .differences import Difference

VALUE, SIZE, OCTAL, LIST, SET, MAP, SECRETS = "value", "size", "octal", "list", "set", "map", "secrets"
"""Kinds: how differences are told. Normal forms are sorted where order means nothing, so all of them
compare with `==`.
"""

Parser = t.Callable[[t.Any, str], t.Any]


class Field(t.NamedTuple):
    """`parser` is the name of a function of container/values.py or, after a dot, of `<prefix>_values.py`.

    `default` is what not asking means. None: nothing, or whatever the image brings.
    """

    name: str
    parser: str
    kind: str = VALUE
    default: t.Any = None
    change: str = RECREATE

    def parse(self, value: t.Any) -> t.Any:
        """The normal form of what somebody wrote; InvalidInput names the option."""
        return _parser(self.parser)(value, self.name)

    def value_in(self, config: ContainerConfig) -> t.Any:
        value = getattr(config, self.name)
        return self.default if value is None else value


FIELDS = (
    Field("command", "parse_command", LIST),
    Field("entrypoint", "parse_entrypoint", LIST),
    Field("env", "environment.parse_env", SECRETS, default={}),
    Field("labels", "environment.parse_labels", MAP, default={}, change=LIVE),
    Field("working_dir", "mount.parse_working_dir"),
    Field("user", "parse_user"),
    Field("groups", "parse_groups", SET, default=[]),
    Field("hostname", "parse_hostname"),
    Field("tty", "parse_boolean", default=False),
    Field("interactive", "parse_boolean", default=False),
    Field("init", "parse_boolean", default=False),
    Field("stop_signal", "parse_signal", change=LIVE),
    Field("stop_timeout", "parse_seconds", default=10, change=LIVE),
    Field("volumes", "mount.parse_volumes", SET, default=[]),
    Field("mounts", "storage.parse_mounts", SET, default=[]),
    Field("volumes_from", "storage.parse_volumes_from", LIST, default=[]),
    Field("tmpfs", "mount.parse_tmpfs", MAP, default={}),
    Field("read_only", "parse_boolean", default=False),
    Field("shm_size", "parse_shm_size", SIZE, default=64 * 1024**2),
    Field("memory", "parse_memory", SIZE, change=LIVE),
    Field("memory_swap", "parse_memory_swap", SIZE, change=LIVE),
    Field("memory_reservation", "parse_memory", SIZE, change=LIVE),
    Field("cpus", "parse_cpus", change=LIVE),
    Field("cpu_period", "parse_cpu_period", change=LIVE),
    Field("cpu_quota", "parse_cpu_quota", change=LIVE),
    Field("cpu_shares", "parse_cpu_shares", change=LIVE),
    Field("cpuset_cpus", "parse_cpuset", change=LIVE),
    Field("cpuset_mems", "parse_cpuset", change=LIVE),
    Field("pids_limit", "parse_pids_limit", default=2048, change=LIVE),
    Field("memory_swappiness", "parse_memory_swappiness"),
    Field("oom_killer", "parse_boolean", default=False),
    Field("blkio_weight", "parse_blkio_weight"),
    Field("device_read_bps", "device.parse_byte_rates", SET, default=[], change=LIVE),
    Field("device_write_bps", "device.parse_byte_rates", SET, default=[], change=LIVE),
    Field("device_read_iops", "device.parse_io_rates", SET, default=[], change=LIVE),
    Field("device_write_iops", "device.parse_io_rates", SET, default=[], change=LIVE),
    Field("ulimits", "parse_ulimits", SET, default=[]),
    Field("oom_score_adj", "parse_oom_score_adj", default=0),
    Field("capabilities", "security.parse_capabilities", SET, default=[]),
    Field("cap_drop", "security.parse_capabilities", SET, default=[]),
    Field("privileged", "parse_boolean", default=False),
    Field("security_opts", "security.parse_security_opts", SET, default=[]),
    Field("devices", "mount.parse_devices", SET, default=[]),
    Field("device_requests", "device.parse_device_requests", SET, default=[]),
    Field("device_cgroup_rules", "device.parse_device_rules", LIST, default=[]),
    Field("umask", "parse_umask", OCTAL, default=0o022),
    Field("annotations", "environment.parse_labels", MAP, default={}, change=LIVE),
    Field("cgroup_parent", "unit.parse_cgroup_parent"),
    Field("cgroupns_mode", "isolation.parse_cgroupns_mode"),
    Field("ipc_mode", "isolation.parse_ipc_mode"),
    Field("pid_mode", "isolation.parse_pid_mode"),
    Field("uts", "isolation.parse_uts"),
    Field("timezone", "isolation.parse_timezone"),
    Field("healthcheck", "health.parse_healthcheck", change=LIVE),
    Field("network_mode", "network.parse_network_mode", default=DEFAULT_NETWORK_MODE),
    Field("networks", "network.parse_networks", SET, default=[], change=LIVE),
    Field("networks_cli_compatible", "parse_boolean", default=True, change=LIVE),
    Field("mac_address", "network.parse_mac_address", change=LIVE),
    Field("links", "network.parse_links", SET, default=[], change=LIVE),
    Field("published_ports", "port.parse_published_ports", SET, default=[], change=LIVE),
    Field("publish_all_ports", "parse_boolean", default=False, change=LIVE),
    Field("exposed_ports", "port.parse_exposed_ports", SET, default=[], change=LIVE),
    Field("default_host_ip", "port.parse_default_host_ip", default="", change=LIVE),
    Field("domainname", "network.parse_domainname"),
    Field("dns_servers", "network.parse_dns_servers", LIST, default=[]),
    Field("dns_search_domains", "network.parse_dns_search_domains", LIST, default=[]),
    Field("dns_opts", "network.parse_dns_opts", SET, default=[]),
    Field("etc_hosts", "network.parse_etc_hosts", MAP, default={}),
    Field("sysctls", "network.parse_sysctls", MAP, default={}),
    Field("runtime", "parse_runtime", default="crun"),
    Field("log_driver", "log.parse_log_driver", default="k8s-file"),
    Field("log_options", "log.parse_log_options", MAP, default={}, change=LIVE),
    Field("secrets", "secret.parse_secrets", SET, default=[]),
    Field("requires", "unit.parse_requires", SET, default=[], change=LIVE),
    Field("sdnotify", "unit.parse_sdnotify", default="ignore"),
    Field("restart_policy", "parse_restart_policy", default="no", change=LIVE),
    Field("restart_retries", "parse_restart_retries", change=LIVE),
    Field("auto_remove", "parse_boolean", default=False),
)
"""All but `image` and `platform`: these two choose an image, and images compare by id
(reconcile/container.py).
"""


STORAGE = ("volumes", "mounts", "tmpfs")
"""Three ways to write the same things, which therefore compare across them."""

NETWORK = ("network_mode", "networks", "networks_cli_compatible", "mac_address", "links")
"""What these say together is compared (connection_differences.py)."""


def described(options: t.Mapping[str, t.Any]) -> ContainerConfig:
    """What was asked for, in normal form, from options as they are written; None and missing ones are not
    asked.
    """
    config = ContainerConfig()
    problems: list[BaseException] = []
    for field in FIELDS:
        if options.get(field.name) is not None:
            try:
                setattr(config, field.name, field.parse(options[field.name]))
            except InvalidInput as error:
                problems.append(error)
    raise_all(problems)
    _split_restart_policy(config)
    _read_driver_options(config)
    return config


def _read_driver_options(config: ContainerConfig) -> None:
    """Those of volumes that are yet to be made mean the same as in the module `volume`."""
    for mount in config.mounts or ():
        if "driver_options" in mount:
            from ..volume.driver_options import parse_driver_options

            given = mount.pop("driver_options")
            options = parse_driver_options(given, "mounts: volume_options")
            mount.update({"driver_options": options} if options else {})


def _split_restart_policy(config: ContainerConfig) -> None:
    """`on-failure:3` is two options in one word."""
    if config.restart_policy is None:
        return
    policy, retries = t.cast("RestartPolicy", config.restart_policy)
    if retries is not None and config.restart_retries not in (None, retries):
        raise InvalidInput(
            f"restart_policy says {retries} retries, restart_retries says {config.restart_retries}",
            "keep one of them",
        )
    config.restart_policy = policy
    config.restart_retries = config.restart_retries if retries is None else retries


def differences(
    then: ContainerConfig, now: ContainerConfig, only: t.Container[str] | None = None
) -> list[Difference]:
    """Rows in which two descriptions mean different things, in the order of the table; of the rows in
    `only`.
    """
    rows = _differing(then, now, only)
    if any(row.name in STORAGE for row in rows):
        from .storage_differences import aligned

        then, now = aligned(then, now)
        rows = _differing(then, now, only)
    if not rows:
        return []
    from .field_differences import difference_of

    found = [
        difference_of(row, row.value_in(then), row.value_in(now)) for row in rows if row.name not in NETWORK
    ]
    if any(row.name in NETWORK for row in rows):
        from .connection_differences import connection_differences

        found += connection_differences(then, merged(then, now, only))
    return found


def merged(then: ContainerConfig, now: ContainerConfig, only: t.Container[str] | None) -> ContainerConfig:
    """The description that a task asks for which gives the rows in `only` and leaves the others alone."""
    if only is None:
        return now
    given = {field.name: getattr(now, field.name) for field in FIELDS if field.name in only}
    return dataclasses.replace(then, **given)


def _differing(then: ContainerConfig, now: ContainerConfig, only: t.Container[str] | None) -> list[Field]:
    return [
        field
        for field in FIELDS
        if (only is None or field.name in only) and field.value_in(then) != field.value_in(now)
    ]


def _parser(name: str) -> Parser:
    """Parsers are looked for when they are needed: most tasks give few options."""
    family, _dot, function = name.rpartition(".")
    module: t.Any
    if family == "mount":
        from ..container import mount_values as module
    elif family == "health":
        from ..container import health as module
    elif family == "isolation":
        from ..container import isolation_values as module
    elif family == "device":
        from ..container import device_values as module
    elif family == "environment":
        from ..container import environment_values as module
    elif family == "storage":
        from ..container import storage_values as module
    elif family == "security":
        from ..container import security_values as module
    elif family == "network":
        from ..container import network_values as module
    elif family == "secret":
        from ..container import secret_values as module
    elif family == "unit":
        from ..container import unit_values as module
    elif family == "log":
        from ..container import log_values as module
    elif family == "port":
        from ..container import port_values as module
    else:
        from ..container import values as module
    parser: Parser = getattr(module, function)
    return parser
