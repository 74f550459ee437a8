# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.network_options import (
    NETWORK,
    read_network_request,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.network import NetworkRequest


def read(**options: t.Any) -> NetworkRequest:
    defaults = {name: option.get("default") for name, option in NETWORK.options.items()}
    return read_network_request({**defaults, "name": "backend", **options})


def test_nothing_but_a_name() -> None:
    assert read() == NetworkRequest("backend", "present", NetworkOptions())


HARMLESS: list[dict[str, t.Any]] = [
    {"attachable": True},
    {"ingress": False},
    {"scope": "local"},
    {"config_only": False},
    {"config_from": ""},
    {"ipam_driver": "default"},
    {"ipam_driver_options": {}},
]


@pytest.mark.parametrize("options", HARMLESS)
def test_what_is_always_so_may_be_said(options: dict[str, t.Any]) -> None:
    assert read(**options) == read()


IMPOSSIBLE: list[dict[str, t.Any]] = [
    {"attachable": False},
    {"ingress": True},
    {"scope": "swarm"},
    {"scope": "global"},
    {"config_only": True},
    {"config_from": "other"},
    {"ipam_driver": "dhcp"},
    {"ipam_driver_options": {"a": "b"}},
]


@pytest.mark.parametrize("options", IMPOSSIBLE)
def test_what_cannot_be_is_refused_in_one_sentence(options: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(**options)
    [name] = options
    assert str(raised.value).startswith(f"network backend: {name}: ")
    assert "cannot be had here: " in str(raised.value)
    assert read(**options, state="absent").state == "absent", "whoever removes it need not know"


@pytest.mark.parametrize(
    ("options", "enabled"),
    [
        ({}, (True, False)),
        ({"enable_ipv6": True}, (True, True)),
        ({"enable_ipv6": True, "enable_ipv4": False}, (False, True)),
        ({"ipam_config": [{"subnet": "fd00::/64"}]}, (True, True)),
        ({"ipam_config": [{"subnet": "fd00::/64"}], "enable_ipv4": False}, (False, True)),
        ({"ipam_config": [{"subnet": "192.0.2.0/24"}]}, (True, False)),
    ],
)
def test_versions(options: dict[str, t.Any], enabled: tuple[bool, bool]) -> None:
    assert read(**options).options[2:4] == enabled


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"enable_ipv4": False}, "neither IPv4 nor IPv6"),
        ({"enable_ipv6": False, "ipam_config": [{"subnet": "fd00::/64"}]}, "enable_ipv6 is false, but"),
        ({"enable_ipv4": False, "ipam_config": [{"subnet": "192.0.2.0/24"}]}, "enable_ipv4 is false, but"),
        ({"enable_ipv6": True, "driver_options": {"mtu": 1000}}, "with mtu 1000 there is no IPv6"),
        ({"labels": {"a": True}}, "labels: the value of a is a bool"),
    ],
)
def test_contradictions(options: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(**options)
    assert problem in str(raised.value)


def test_options_reach_the_network() -> None:
    options = read(
        driver="macvlan",
        driver_options={"parent": "eth0.50", "mtu": 1400, "mode": "vepa"},
        internal=True,
        dns=False,
        dns_servers=["192.0.2.53"],
        labels={"a": 1},
    ).options
    assert options == NetworkOptions(
        driver="macvlan",
        internal=True,
        dns=False,
        dns_servers=("192.0.2.53",),
        labels={"a": "1"},
        parent="eth0",
        vlan=50,
        mode="vepa",
        mtu=1400,
    )
    assert options.to_json() == {
        "driver": "macvlan",
        "internal": True,
        "dns": False,
        "dns_servers": ["192.0.2.53"],
        "labels": {"a": "1"},
        "parent": "eth0",
        "vlan": 50,
        "mode": "vepa",
        "mtu": 1400,
    }
