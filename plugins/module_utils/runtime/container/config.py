# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What was asked for one container, in normal form. Defaults and the image's part are added in `effective`.

`None` is "not asked". The fields are exactly the options of the `container` module that describe a container,
under the same names; a unit test compares the lists.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class ContainerConfig:
    """Sizes are bytes, times seconds, `-1` is unlimited; the parsers of `*values.py` make every value."""

    image: str | None = None
    platform: str | None = None

    command: list[str] | None = None
    entrypoint: list[str] | None = None
    env: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    working_dir: str | None = None
    user: str | None = None
    groups: list[str] | None = None
    hostname: str | None = None
    tty: bool | None = None
    interactive: bool | None = None
    init: bool | None = None
    stop_signal: str | None = None
    stop_timeout: int | None = None

    volumes: list[dict[str, t.Any]] | None = None
    """`[{"type": "bind"|"volume", "source", "target", "read_only", "options"}]` sorted by target;
    an anonymous volume has the source `""`."""
    mounts: list[dict[str, t.Any]] | None = None
    """As `volumes`, with the types `tmpfs` and `image` and the keys of storage_values.py too."""
    volumes_from: list[dict[str, t.Any]] | None = None
    """`[{"container": name, "read_only"}]` in the order given."""
    tmpfs: dict[str, str] | None = None
    """Options by target, such as `{"/run": "exec,size=67108864"}`."""
    read_only: bool | None = None
    shm_size: int | None = None

    memory: int | None = None
    memory_swap: int | None = None
    memory_reservation: int | None = None
    cpus: float | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    pids_limit: int | None = None
    memory_swappiness: int | None = None
    oom_killer: bool | None = None
    """As in Docker: true switches the killer off."""
    blkio_weight: int | None = None
    device_read_bps: list[dict[str, t.Any]] | None = None
    """`[{"path", "rate"}]` sorted by path."""
    device_write_bps: list[dict[str, t.Any]] | None = None
    device_read_iops: list[dict[str, t.Any]] | None = None
    device_write_iops: list[dict[str, t.Any]] | None = None
    ulimits: list[dict[str, t.Any]] | None = None
    """`[{"name": "nofile", "soft", "hard"}]` sorted by name."""
    oom_score_adj: int | None = None

    capabilities: list[str] | None = None
    cap_drop: list[str] | None = None
    privileged: bool | None = None
    security_opts: list[str] | None = None
    devices: list[dict[str, str]] | None = None
    """`[{"path_on_host", "path_in_container", "permissions"}]` sorted by the path in the container;
    a device that is described by name has the name in place of both."""
    device_requests: list[str] | None = None
    """`["nvidia.com/gpu=0"]`"""
    device_cgroup_rules: list[str] | None = None
    umask: int | None = None
    annotations: dict[str, str] | None = None

    cgroup_parent: str | None = None
    """Path of a control group without a leading slash."""
    cgroupns_mode: str | None = None
    ipc_mode: str | None = None
    pid_mode: str | None = None
    uts: str | None = None
    timezone: str | None = None

    healthcheck: dict[str, t.Any] | None = None
    """`{"test": ["CMD-SHELL", "…"], "interval", "retries", …}` of health.py, times in nanoseconds."""

    network_mode: str | None = None
    networks: list[dict[str, t.Any]] | None = None
    """`[{"name", "ipv4_address", "aliases", …}]` of network_values.py in the order given."""
    networks_cli_compatible: bool | None = None
    mac_address: str | None = None
    links: list[list[str]] | None = None
    """`[["db", "store"]]`: containers and what this one calls them."""
    published_ports: list[dict[str, t.Any]] | None = None
    """`[{"host_ip", "host_port", "container_port", "protocol", …}]` of port_values.py."""
    publish_all_ports: bool | None = None
    exposed_ports: list[str] | None = None
    """`["53/udp", "80/tcp"]`"""
    default_host_ip: str | None = None
    domainname: str | None = None
    dns_servers: list[str] | None = None
    dns_search_domains: list[str] | None = None
    dns_opts: list[str] | None = None
    etc_hosts: dict[str, str] | None = None
    """Addresses by name."""
    sysctls: dict[str, str] | None = None
    runtime: str | None = None
    log_driver: str | None = None
    log_options: dict[str, str] | None = None
    """`max-size` as a size (`20m`, `-1`), `max-file`, `tag`."""
    secrets: list[dict[str, t.Any]] | None = None
    """`[{"name", "content", "target", …}]` of secret_values.py, sorted by name; `content` is base64."""
    requires: list[str] | None = None
    """Names of containers, sorted."""
    sdnotify: str | None = None
    restart_policy: str | None = None
    restart_retries: int | None = None
    auto_remove: bool | None = None

    def to_json(self) -> dict[str, t.Any]:
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, document: dict[str, t.Any]) -> ContainerConfig:
        """Unknown keys are of a newer engine and say nothing here."""
        return cls(**{name: document[name] for name in cls.__dataclass_fields__ if name in document})
