# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Requests for devices by name, in the words of Docker."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.container_texts import read_gpus
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.device_values import (
    parse_device_requests,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.devices import named_devices
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.mount_values import (
    parse_devices,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"driver": "cdi", "device_ids": ["example.com/lamp=b", "example.com/lamp=a"]}, "lamp=a lamp=b"),
        ({"device_ids": ["example.com/lamp=a"], "count": None, "options": {}}, "lamp=a"),
        ({"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}, "gpu=all"),
        ({"capabilities": [["gpu", "utility"]]}, "gpu=all"),
        ({"count": 2, "capabilities": [["gpu"]]}, "gpu=0 gpu=1"),
        ({"driver": "nvidia", "device_ids": ["GPU-3a2b", "0"]}, "gpu=0 gpu=GPU-3a2b"),
        ({"driver": "amd", "count": 1}, "amd=0"),
        ({"count": 0, "driver": "nvidia"}, ""),
    ],
)
def test_requests(request_: dict[str, t.Any], names: str) -> None:
    kinds = {"lamp": "example.com/lamp", "gpu": "nvidia.com/gpu", "amd": "amd.com/gpu"}
    expected = [
        "=".join((kinds[kind], name)) for kind, _sign, name in (word.partition("=") for word in names.split())
    ]
    assert parse_device_requests([request_], "device_requests") == expected
    assert parse_device_requests(expected, "device_requests") == expected


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"driver": "cdi"}, "is not a name of a device"),
        ({"driver": "cdi", "device_ids": ["0"]}, "'0' is not a name of a device"),
        ({"driver": "lamps", "count": 1}, "'lamps' is not a driver here"),
        ({"count": 1, "device_ids": ["0"]}, "counts what device_ids names"),
        ({"count": -2}, "-2 is not between"),
        ({"capabilities": [["tpu"]]}, "'tpu' is not a capability of a GPU"),
        ({"count": 1, "options": {"a": "b"}}, "are options of a driver"),
        ({"number": 1}, "is not a request for devices"),
        ({}, "is not a request for devices"),
        ("all", "is not a request for devices"),
    ],
)
def test_requests_that_cannot_be(request_: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_device_requests([request_], "device_requests")


def test_names_among_the_devices() -> None:
    devices = parse_devices(["nvidia.com/gpu=all", "/dev/fuse"], "devices")
    assert parse_devices(devices, "devices") == devices
    config = ContainerConfig(devices=devices, device_requests=["example.com/lamp=a"])
    assert named_devices(config) == ["example.com/lamp=a", "nvidia.com/gpu=all"]
    with pytest.raises(InvalidInput, match="'a=b' is not the name of a device"):
        parse_devices(["a=b"], "devices")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", ["nvidia.com/gpu=all"]),
        ("2", ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]),
        ('"device=0,3"', ["nvidia.com/gpu=0", "nvidia.com/gpu=3"]),
        ('driver=amd,count=1,"capabilities=gpu,compute"', ["amd.com/gpu=0"]),
        ("count=all", ["nvidia.com/gpu=all"]),
    ],
)
def test_gpus_of_the_command(text: str, names: list[str]) -> None:
    assert parse_device_requests(read_gpus(text, "--gpus"), "--gpus") == names


def test_gpus_that_cannot_be() -> None:
    with pytest.raises(InvalidInput, match="'color=red' is not understood"):
        read_gpus("color=red", "--gpus")
