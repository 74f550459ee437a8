# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `network`, and what they mean."""

from __future__ import annotations

import typing as t

from ..runtime.errors import InvalidInput, doing
from ..runtime.network.model import BRIDGE, DRIVERS, Pool
from ..runtime.network.option_values import (
    check_mtu,
    check_network_name,
    parse_dns_servers,
    parse_driver_options,
    parse_ipam_config,
    parse_routes,
)
from ..runtime.network.options import NetworkOptions
from ..runtime.reconcile.network import NetworkRequest
from .argspec import ArgumentSpec

NETWORK = ArgumentSpec(
    {
        "name": {"type": "str", "required": True, "aliases": ["network_name"]},
        "state": {"type": "str", "default": "present", "choices": ["absent", "present"]},
        "driver": {"type": "str", "default": BRIDGE, "choices": list(DRIVERS)},
        "driver_options": {"type": "dict", "default": {}},
        "ipam_config": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "subnet": {"type": "str", "required": True},
                "gateway": {"type": "str"},
                "iprange": {"type": "str"},
                "aux_addresses": {"type": "dict"},
            },
        },
        "enable_ipv4": {"type": "bool"},
        "enable_ipv6": {"type": "bool"},
        "internal": {"type": "bool", "default": False},
        "dns": {"type": "bool", "default": True},
        "dns_servers": {"type": "list", "elements": "str", "default": []},
        "routes": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "destination": {"type": "str", "required": True},
                "gateway": {"type": "str", "required": True},
                "metric": {"type": "int"},
            },
        },
        "open_host_firewall": {"type": "bool", "default": False},
        "labels": {"type": "dict", "default": {}},
        "connected": {"type": "list", "elements": "str", "aliases": ["containers"]},
        "appends": {"type": "bool", "default": False, "aliases": ["incremental"]},
        "force": {"type": "bool", "default": False},
        "attachable": {"type": "bool"},
        "ingress": {"type": "bool"},
        "scope": {"type": "str", "choices": ["local", "global", "swarm"]},
        "config_only": {"type": "bool"},
        "config_from": {"type": "str"},
        "ipam_driver": {"type": "str"},
        "ipam_driver_options": {"type": "dict"},
    }
)

_CANNOT_BE: dict[str, tuple[t.Any, str]] = {
    "attachable": (True, "every network is: containers connect to it as they like"),
    "ingress": (False, "there is no swarm"),
    "scope": ("local", "a network is on one host"),
    "config_only": (False, "there is no swarm; share options with a YAML anchor or module_defaults"),
    "config_from": ("", "there is no swarm; share options with a YAML anchor or module_defaults"),
    "ipam_driver": ("default", "addresses are given by the engine itself"),
    "ipam_driver_options": ({}, "addresses are given by the engine itself"),
}
"""Options of docker_network with the one value that they can have, and why."""


def read_network_request(params: t.Mapping[str, t.Any]) -> NetworkRequest:
    """What the task asks for; with `absent`, only name and `force` count. InvalidInput names the option."""
    name = check_network_name(params["name"])
    if params["state"] == "absent":
        return NetworkRequest(name, "absent", NetworkOptions(), force=params["force"])
    with doing(f"network {name}"):
        _refuse_what_cannot_be(params)
        connected = params["connected"]
        if params["appends"] and connected is None:
            raise InvalidInput("appends says how connected is meant, which is not given", "give connected")
        return NetworkRequest(
            name=name,
            state=params["state"],
            options=_options(params),
            connected=None if connected is None else tuple(dict.fromkeys(connected)),
            appends=params["appends"],
            force=params["force"],
        )


def _options(params: t.Mapping[str, t.Any]) -> NetworkOptions:
    driver = parse_driver_options(params["driver"], params["driver_options"])
    pools = parse_ipam_config(params["ipam_config"], driver.has_gateway)
    ipv4, ipv6 = (_is_enabled(params[f"enable_ipv{version}"], version, pools) for version in (4, 6))
    if not (ipv4 or ipv6):
        raise InvalidInput("there are neither IPv4 nor IPv6 addresses", "enable one of them")
    check_mtu(driver.mtu, ipv6)
    return NetworkOptions(
        driver=params["driver"],
        pools=pools,
        ipv4=ipv4,
        ipv6=ipv6,
        internal=params["internal"],
        isolated=driver.isolated,
        dns=params["dns"],
        dns_servers=parse_dns_servers(params["dns_servers"]),
        routes=parse_routes(params["routes"]),
        labels=_labels(params["labels"]),
        bridge=driver.bridge,
        parent=driver.parent,
        vlan=driver.vlan,
        mode=driver.mode,
        mtu=driver.mtu,
        open_host_firewall=params["open_host_firewall"],
    )


def _labels(given: dict[str, t.Any]) -> dict[str, str]:
    if not given:
        return {}
    from ..runtime.container.environment_values import parse_labels

    return parse_labels(given, "labels")


def _is_enabled(asked: bool | None, version: int, pools: t.Sequence[Pool]) -> bool:
    """IPv4 unless it is not wanted; IPv6 if it is wanted, or a subnet says so."""
    named = [pool.subnet for pool in pools if pool.version == version]
    if asked is False and named:
        raise InvalidInput(
            f"enable_ipv{version} is false, but ipam_config has {named[0]}", "keep one of them"
        )
    return asked if asked is not None else bool(named) or version == 4


def _refuse_what_cannot_be(params: t.Mapping[str, t.Any]) -> None:
    for option, (only, reason) in _CANNOT_BE.items():
        value = params[option]
        if value is not None and value != only:
            raise InvalidInput(f"{option}: {value!r} cannot be had here: {reason}")
