# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Options of docker_container that say nothing here: those that cannot be, and those with one value that can.
And options of podman_container that have another name.

`container` and the declarations of `containers` know all of them by name. Who uses one that cannot be hears
one sentence, with what to use instead; docs/migrating.md has the same sentences, and a unit test compares.
"""

from __future__ import annotations

import typing as t

from ..runtime.errors import InvalidInput
from .argspec import ArgumentSpec

_NO_DAEMON = "there is no daemon to reach"
_ON_THE_HOST = "run the task on the host that has the container"


class Refusal(t.NamedTuple):
    """An option under all its names: why it cannot be, and what to use instead."""

    names: tuple[str, ...]
    problem: str
    instead: str

    def of(self, name: str) -> InvalidInput:
        return InvalidInput(f"{name}: {self.problem}", self.instead, option=name)


REFUSED = (
    Refusal(("docker_host", "docker_url"), _NO_DAEMON, _ON_THE_HOST),
    Refusal(("use_ssh_client",), _NO_DAEMON, "Ansible itself connects: ansible_connection"),
    Refusal(("tls",), _NO_DAEMON, _ON_THE_HOST),
    Refusal(("tls_hostname",), _NO_DAEMON, _ON_THE_HOST),
    Refusal(("ca_path", "tls_ca_cert", "cacert_path"), _NO_DAEMON, "for a registry, use ca_cert"),
    Refusal(("tls_client_cert", "cert_path"), _NO_DAEMON, "for a registry, use client_cert"),
    Refusal(("tls_client_key", "key_path"), _NO_DAEMON, "for a registry, use client_key"),
    Refusal(("tls_verify",), _NO_DAEMON, "for a registry, use validate_certs"),
    Refusal(("api_version", "docker_api_version"), "there is no API with versions", "leave it out"),
    Refusal(
        ("timeout",),
        _NO_DAEMON,
        "use registry_timeout, healthy_wait_timeout or the keyword timeout of the task",
    ),
    Refusal(("debug",), _NO_DAEMON, "use ansible-playbook -vvv"),
    Refusal(("kernel_memory",), "Linux has no such limit any more", "use memory, which counts that too"),
    Refusal(
        ("storage_opts",),
        "a container cannot be given a part of the disk",
        "mount a tmpfs with a size or a volume on a disk of its own where it grows",
    ),
    Refusal(("ignore_image",), "it is an old name", "use comparisons: {image: ignore}"),
    Refusal(
        ("purge_networks",), "networks that are not in the task go anyway", "use comparisons to keep them"
    ),
    Refusal(("trust_image_content",), "what is in the store is checked", "leave it out"),
)
"""Options of `container`; in docs/migrating.md under "Options that cannot be used"."""

OTHER_NAMES = {
    "cap_add": "capabilities",
    "cgroupns": "cgroupns_mode",
    "device": "devices",
    "dns": "dns_servers",
    "dns_option": "dns_opts",
    "dns_search": "dns_search_domains",
    "group_add": "groups",
    "healthcheck_interval": "healthcheck: {interval: …}",
    "healthcheck_retries": "healthcheck: {retries: …}",
    "healthcheck_start_period": "healthcheck: {start_period: …}",
    "healthcheck_timeout": "healthcheck: {timeout: …}",
    "ip": "ipv4_address of an item of networks",
    "ip6": "ipv6_address of an item of networks",
    "ipc": "ipc_mode",
    "label": "labels",
    "mount": "mounts",
    "network": "network_mode or networks",
    "network_aliases": "aliases of an item of networks",
    "oom_kill_disable": "oom_killer",
    "pid": "pid_mode",
    "publish": "published_ports",
    "publish_all": "publish_all_ports",
    "rm": "auto_remove",
    "security_opt": "security_opts",
    "sysctl": "sysctls",
    "ulimit": "ulimits",
    "userns": "userns_mode",
    "volume": "volumes",
    "workdir": "working_dir",
}
"""What options of podman_container are called here."""

REFUSED_TYPES = {
    "npipe": Refusal(("npipe",), "named pipes are of Windows", "use type bind for a socket"),
    "cluster": Refusal(("cluster",), "there is no swarm", "use type volume"),
}
"""Of `mounts`, by their type."""


class Only(t.NamedTuple):
    """What an option may say, why nothing else, and what to use instead."""

    values: tuple[t.Any, ...]
    problem: str
    instead: str


ONLY = {
    "command_handling": Only(("correct",), "a list stays a list", "write command as it shall run"),
    "container_default_behavior": Only(
        ("no_defaults",), "an option that is not given means its default", "give the options that matter"
    ),
    "image_comparison": Only(
        ("desired-image", "current-image"), "what the image brings is never a difference", "leave it out"
    ),
    "image_label_mismatch": Only(
        ("ignore",), "labels of the image are never a difference", "compare what image_info says"
    ),
    "output_logs": Only((False,), "a task has its output in the result", "use detach: false"),
    "pull_check_mode_behavior": Only(
        ("image_not_present",), "check mode asks the registry, and says what is so", "leave it out"
    ),
    "userns_mode": Only(
        ("", "host"), "user ids are those of the host", "use user, cap_drop and no-new-privileges"
    ),
    "volume_driver": Only(("", "local"), "there are no plugins", "use volume_options of a mount"),
}
"""Options of `container` with the values that describe what is so here."""

DOCKER = ArgumentSpec(
    {
        "command_handling": {"type": "str", "choices": ["compatibility", "correct"]},
        "container_default_behavior": {"type": "str", "choices": ["compatibility", "no_defaults"]},
        "image_comparison": {"type": "str", "choices": ["current-image", "desired-image"]},
        "image_label_mismatch": {"type": "str", "choices": ["fail", "ignore"]},
        "output_logs": {"type": "bool"},
        "pull_check_mode_behavior": {"type": "str", "choices": ["always", "image_not_present"]},
        "removal_wait_timeout": {"type": "float"},
        "userns_mode": {"type": "str"},
        "volume_driver": {"type": "str"},
    }
)


def refusal_of(given: t.Mapping[str, t.Any]) -> InvalidInput | None:
    """For the first option, as somebody wrote it, that cannot be; None if there is none."""
    by_name = {name: refusal for refusal in REFUSED for name in refusal.names}
    for name in given:
        if name in by_name:
            return by_name[name].of(name)
        if name in OTHER_NAMES:
            return InvalidInput(f"{name}: it has another name here", f"use {OTHER_NAMES[name]}", option=name)
    mounts = given.get("mounts")
    for mount in mounts if isinstance(mounts, list) else ():
        kind = mount.get("type") if isinstance(mount, dict) else None
        if isinstance(kind, str) and kind in REFUSED_TYPES:
            return REFUSED_TYPES[kind].of(f"mounts: type {kind}")
    return None


def check_docker_options(params: t.Mapping[str, t.Any]) -> None:
    """InvalidInput for an option that says what is not so."""
    for name, only in ONLY.items():
        value = params.get(name)
        if value is not None and value not in only.values:
            shown = str(value).lower() if isinstance(value, bool) else value
            raise InvalidInput(f"{name}: {shown} cannot be: {only.problem}", only.instead, option=name)
