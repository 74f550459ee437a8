# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Options that are right alone and wrong together: found before anything is pulled or stopped."""

from __future__ import annotations

from ..errors import InvalidInput
from .attachments import HOST, JOINED, NONE, attachments_of, has_interfaces, network_mode, shares_network
from .config import ContainerConfig

_LONGEST_STRING = 128 << 10  # bytes with the terminator: MAX_ARG_STRLEN of linux/binfmts.h
_LONGEST_STRINGS = 2 << 20  # a quarter of the usual stack: execve(2), "Limits on size of arguments"


def check_config(config: ContainerConfig) -> None:
    """Raise InvalidInput for the first pair of options that cannot both hold."""
    _check_memory(config)
    _check_processors(config)
    _check_restart(config)
    _check_targets(config)
    _check_strings(config)
    _check_sharing(config)
    _check_log(config)
    _check_secrets(config)
    check_network(config)


def _check_sharing(config: ContainerConfig) -> None:
    """What a container says about a namespace that is not its own, others would hear."""
    for name in ("hostname", "domainname"):
        if config.uts == HOST and getattr(config, name):
            raise InvalidInput(f"{name} would be the host's: uts is host", "leave out one of them")
    shared = config.ipc_mode == HOST or (config.ipc_mode or "").startswith(JOINED)
    if shared and config.shm_size:
        raise InvalidInput(
            f"shm_size is of a shared memory that is not the container's: ipc_mode is {config.ipc_mode}",
            "set it where the memory belongs",
        )
    if config.ipc_mode == NONE and config.shm_size:
        raise InvalidInput("shm_size has no meaning with ipc_mode none", "keep one of them")
    for name in config.sysctls or ():
        if shared and not name.startswith("net."):
            raise InvalidInput(
                f"sysctls: {name} would change what is not the container's: ipc_mode is {config.ipc_mode}",
                "set it where that belongs",
            )


def _check_log(config: ContainerConfig) -> None:
    options, driver = config.log_options or {}, config.log_driver or "k8s-file"
    known = {"k8s-file": ("max-size", "max-file"), "journald": ("tag",)}.get(driver, ())
    for name in options:
        if name not in known:
            raise InvalidInput(
                f"log_options: {name} has no meaning with the log driver {driver}",
                f"leave it out; {driver} knows {' and '.join(known) or 'no options'}",
            )
    if options.get("max-size") == "-1" and "max-file" in options:
        raise InvalidInput("log_options: max-file has no meaning without a max-size", "keep one of them")


def _check_secrets(config: ContainerConfig) -> None:
    names = [*(config.env or ()), *(secret["env"] for secret in config.secrets or () if "env" in secret)]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"secrets: {name} is in the environment twice", "keep one of them")


def _check_strings(config: ContainerConfig) -> None:
    """What the kernel hands to a program is bounded, and it would refuse only when the old one has gone."""
    words = [("command", word) for word in [*(config.entrypoint or ()), *(config.command or ())]]
    words += [(f"env {name}", f"{name}={value}") for name, value in (config.env or {}).items()]
    total = 0
    for option, word in words:
        size = len(word.encode("utf-8", "surrogateescape")) + 1
        total += size
        if size > _LONGEST_STRING:
            raise InvalidInput(
                f"{option} is {size} bytes long, and Linux gives no more than {_LONGEST_STRING} to a program",
                "put it into a file and mount that",
            )
    if total > _LONGEST_STRINGS:
        raise InvalidInput(
            f"command and env are {total} bytes long, and Linux gives a program {_LONGEST_STRINGS} at most",
            "put some of it into a file and mount that",
        )


def _check_memory(config: ContainerConfig) -> None:
    memory, swap, reservation = config.memory, config.memory_swap, config.memory_reservation
    if swap is not None and swap >= 0:
        if memory is None:
            raise InvalidInput(
                "memory_swap limits memory and swap together and needs memory", "give memory too"
            )
        if swap < memory:
            raise InvalidInput(
                f"memory_swap ({swap}) is less than memory ({memory})",
                "memory_swap counts memory plus swap: give at least the same",
            )
    if reservation is not None and memory is not None and reservation > memory:
        raise InvalidInput(
            f"memory_reservation ({reservation}) is more than memory ({memory})",
            "lower one or raise the other",
        )


def _check_processors(config: ContainerConfig) -> None:
    rival = (
        "cpu_quota" if config.cpu_quota is not None else "cpu_period" if config.cpu_period is not None else ""
    )
    if config.cpus is not None and rival:
        raise InvalidInput(f"cpus and {rival} set the same limit in two ways", "keep one of them")


def _check_restart(config: ContainerConfig) -> None:
    policy = config.restart_policy or "no"
    if config.restart_retries is not None and policy != "on-failure":
        raise InvalidInput(
            f"restart_retries has no meaning with the restart policy {policy}", "use on-failure"
        )
    if config.auto_remove and policy != "no":
        raise InvalidInput(
            f"auto_remove removes what the restart policy {policy} would start again", "keep one of them"
        )


def _check_targets(config: ContainerConfig) -> None:
    targets = [
        *((target, "tmpfs") for target in config.tmpfs or ()),
        *((volume["target"], "volumes") for volume in config.volumes or ()),
        *((mount["target"], "mounts") for mount in config.mounts or ()),
        *((secret["target"], "secrets") for secret in config.secrets or () if "target" in secret),
    ]
    taken: dict[str, str] = {}
    for target, option in targets:
        if target in taken:
            raise InvalidInput(f"{target} is in {option} and in {taken[target]}", "keep one of them")
        taken[target] = option


_NEED_INTERFACES = ("networks", "mac_address", "links", "published_ports", "publish_all_ports")
_NEED_NAMES = ("hostname", "domainname", "dns_servers", "dns_search_domains", "dns_opts", "etc_hosts")


def check_network(config: ContainerConfig) -> None:
    """What a container says about a network that is not its own, nobody would hear."""
    mode = network_mode(config)
    if has_interfaces(mode):
        _check_macs(config)
        return
    needless = [name for name in _NEED_INTERFACES if getattr(config, name)]
    if config.network_mode is None:
        needless = [name for name in needless if name != "networks"]  # it is what says so
    if mode.startswith(JOINED):
        needless += [name for name in _NEED_NAMES if getattr(config, name)]
    if needless:
        raise InvalidInput(
            f"{needless[0]} has no meaning with network_mode {mode}", "leave it out, or choose a network"
        )
    if mode == HOST or shares_network(mode):
        for name in config.sysctls or ():
            if name.startswith("net."):
                raise InvalidInput(
                    f"sysctls: {name} would change a network that is not the container's: "
                    f"network_mode is {mode}",
                    "set it where the network belongs",
                )


def _check_macs(config: ContainerConfig) -> None:
    first = attachments_of(config).networks[0]
    if config.mac_address and first.get("mac_address") != config.mac_address:
        raise InvalidInput(
            f"mac_address is {config.mac_address}, and {first['mac_address']} in networks", "keep one of them"
        )
