# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.devices import (
    Device,
    container_devices,
    device_rules,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput, NotFound


def asked(host: str, inside: str, permissions: str = "rwm") -> ContainerConfig:
    return ContainerConfig(
        devices=[{"path_on_host": host, "path_in_container": inside, "permissions": permissions}]
    )


def test_a_device_as_it_is_on_the_host() -> None:
    (device,) = container_devices(asked("/dev/null", "/dev/nothing", "r"))
    assert device == Device("/dev/nothing", "c", 1, 3, 0o666, 0, 0, "r")
    assert device.node() == {
        "path": "/dev/nothing",
        "type": "c",
        "major": 1,
        "minor": 3,
        "fileMode": 0o666,
        "uid": 0,
        "gid": 0,
    }
    assert device.rule() == {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"}


def test_a_link_is_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    assert [device.minor for device in container_devices(asked(str(tmp_path / "link"), "/dev/z"))] == [5]


def test_devices_that_are_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound, match=r"^devices: /dev/no-such is not on this host"):
        container_devices(asked("/dev/no-such", "/dev/x"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="is not a device"):
        container_devices(asked(str(tmp_path / "file"), "/dev/x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="there is no device in"):
        container_devices(asked(str(tmp_path / "empty"), "/dev/x"))


def test_rules_deny_all_and_allow_the_usual_ones() -> None:
    rules = device_rules([], everything=False)
    assert rules[0] == {"allow": False, "access": "rwm"}
    assert {(rule["type"], rule["major"], rule.get("minor")) for rule in rules[1:]} == {
        ("c", 1, 3),
        ("c", 1, 5),
        ("c", 1, 7),
        ("c", 1, 8),
        ("c", 1, 9),
        ("c", 5, 0),
        ("c", 5, 1),
        ("c", 5, 2),
        ("c", 136, None),
    }
    assert all(rule["allow"] for rule in rules[1:])
    device = Device("/dev/fuse", "c", 10, 229, 0o666, 0, 0, "rw")
    assert device_rules([device], everything=False)[-1] == device.rule()


def test_a_privileged_container_has_the_hosts_devices() -> None:
    devices = {device.path: device for device in container_devices(ContainerConfig(privileged=True))}
    assert not [path for path in devices if path.startswith(("/dev/pts/", "/dev/shm/", "/dev/console"))]
    assert not {"/dev/null", "/dev/tty", "/dev/ptmx", "/dev/zero"}.intersection(devices)
    assert device_rules(list(devices.values()), everything=True) == [{"allow": True, "access": "rwm"}]
