# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of a Compose file as a declaration of `containers`: one row for each of its keys."""

from __future__ import annotations

import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import collecting

from . import connections, limits, programs, storage
from .place import Place
from .stack import Declaration, Service

Reader = t.Callable[[Place, Service], Declaration]

_NO_BUILD = "images are not built by this module", "build the image first, and name it with image"
_GPUS = "GPUs are not asked for here", "declare the container in containers, with device_requests"

REFUSED = {
    "build": _NO_BUILD,
    "credential_spec": ("is of Windows", "take it out"),
    "develop": ("nobody watches sources here", "take it out"),
    "extends": ("services do not extend others here", "use a YAML anchor with <<"),
    "external_links": ("links lead to services of the same file", "connect both to an external network"),
    "gpus": _GPUS,
    "isolation": ("is of Windows", "take it out"),
    "label_file": ("files of labels are not read", "write labels"),
    "post_start": ("nothing is run besides the command", "use a service that others wait for"),
    "pre_stop": ("nothing is run besides the command", "use stop_signal, and let the program do it"),
    "provider": ("there are no plugins", "use a module of Ansible"),
    "storage_opt": ("containers share the file system of the engine", "put what grows into a volume"),
}
"""Keys that cannot be: why, and what to do instead."""


def _text(option: str) -> Reader:
    return lambda place, service: {option: place.text()}


def _texts(option: str) -> Reader:
    return lambda place, service: {option: place.texts()}


def _boolean(option: str) -> Reader:
    return lambda place, service: {option: place.boolean()}


def _number(option: str) -> Reader:
    return lambda place, service: {option: place.number()}


def _pairs(option: str) -> Reader:
    return lambda place, service: {
        option: {name: item.text() if item else "" for name, item in place.pairs().items()}
    }


def _nothing(place: Place, service: Service) -> Declaration:
    """What is looked at elsewhere, or has no meaning for containers that are in the background."""
    return {}


ROWS: dict[str, Reader] = {
    "annotations": _pairs("annotations"),
    "attach": _nothing,
    "blkio_config": limits.blkio_config,
    "cap_add": _texts("capabilities"),
    "cap_drop": _texts("cap_drop"),
    "cgroup": _text("cgroupns_mode"),
    "cgroup_parent": _text("cgroup_parent"),
    "command": programs.command,
    "configs": storage.files,
    "container_name": _nothing,
    "cpu_period": _number("cpu_period"),
    "cpu_quota": _number("cpu_quota"),
    "cpu_shares": _number("cpu_shares"),
    "cpus": _text("cpus"),
    "cpuset": _text("cpuset_cpus"),
    "depends_on": programs.depends_on,
    "deploy": limits.deploy,
    "device_cgroup_rules": _texts("device_cgroup_rules"),
    "devices": limits.devices,
    "dns": _texts("dns_servers"),
    "dns_opt": _texts("dns_opts"),
    "dns_search": _texts("dns_search_domains"),
    "domainname": _text("domainname"),
    "entrypoint": programs.entrypoint,
    "env_file": programs.env_file,
    "environment": programs.environment,
    "expose": _texts("exposed_ports"),
    "extra_hosts": connections.extra_hosts,
    "group_add": _texts("groups"),
    "healthcheck": programs.healthcheck,
    "hostname": _text("hostname"),
    "image": _text("image"),
    "init": _boolean("init"),
    "ipc": programs.joined("ipc_mode"),
    "labels": _pairs("labels"),
    "links": _nothing,
    "logging": programs.logging,
    "mac_address": _text("mac_address"),
    "mem_limit": _text("memory"),
    "mem_reservation": _text("memory_reservation"),
    "mem_swappiness": _number("memory_swappiness"),
    "memswap_limit": _text("memory_swap"),
    "network_mode": connections.network_mode,
    "networks": _nothing,
    "oom_kill_disable": _boolean("oom_killer"),
    "oom_score_adj": _number("oom_score_adj"),
    "pid": programs.joined("pid_mode"),
    "pids_limit": _number("pids_limit"),
    "platform": _text("platform"),
    "ports": connections.ports,
    "privileged": _boolean("privileged"),
    "profiles": _nothing,
    "pull_policy": programs.pull_policy,
    "read_only": _boolean("read_only"),
    "restart": _text("restart_policy"),
    "runtime": _text("runtime"),
    "scale": limits.only_one,
    "secrets": storage.files,
    "security_opt": _texts("security_opts"),
    "shm_size": _text("shm_size"),
    "stdin_open": _boolean("interactive"),
    "stop_grace_period": programs.stop_grace_period,
    "stop_signal": _text("stop_signal"),
    "sysctls": _pairs("sysctls"),
    "tmpfs": _texts("tmpfs"),
    "tty": _boolean("tty"),
    "ulimits": limits.ulimits,
    "user": _text("user"),
    "userns_mode": _text("userns_mode"),
    "uts": _text("uts"),
    "volumes": storage.volumes,
    "volumes_from": storage.volumes_from,
    "working_dir": _text("working_dir"),
}


def declaration(service: Service, problems: list[BaseException]) -> Declaration:
    """The container of a service; what cannot be is added to `problems`."""
    said: Declaration = {"name": service.stack.services[service.key]}
    given = service.whole.entries()
    for key in given:
        if key not in ROWS:
            with collecting(problems):
                raise given[key].refusal(*REFUSED.get(key, ("has no counterpart here", "take it out")))
    if not given.get("image") and "build" not in given:
        problems.append(service.whole.refusal("has no image", "name one"))
    for key, reader in ROWS.items():
        if given.get(key):
            with collecting(problems):
                _add(said, reader(given[key], service), given[key])
    with collecting(problems):
        connected = connections.networks(service)
        needs = {**connected.pop("depends_on", {}), **said.get("depends_on", {})}
        _add(said, {**connected, **({"depends_on": needs} if needs else {})}, service.whole)
    return said


def _add(said: Declaration, more: Declaration, place: Place) -> None:
    """Several keys may say parts of the same; never two different things."""
    for option, value in more.items():
        there = said.get(option)
        if isinstance(there, dict) and isinstance(value, dict):
            said[option] = {**there, **value}
        elif isinstance(there, list) and isinstance(value, list):
            said[option] = [*there, *value]
        elif there is not None and there != value:
            raise place.refusal(f"{option} is {there} elsewhere in the service", "keep one of them")
        else:
            said[option] = value
