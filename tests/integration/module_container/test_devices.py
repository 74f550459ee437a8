# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Devices that are described on the host by name (CDI)."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
)

KIND = f"coracle{os.getpid()}.example.com/lamp"
RUN = pathlib.Path("/run/cdi")


@pytest.fixture
def lamps(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Two devices of this host, and what they have in common. The directory that they bring."""
    brought = tmp_path / "driver"
    brought.mkdir()
    (brought / "library").write_text("shines")
    devices = [
        {
            "name": name,
            "containerEdits": {
                "env": [f"LAMP={name}"],
                "deviceNodes": [{"path": f"/dev/{name}", "hostPath": node}],
            },
        }
        for name, node in (("red", "/dev/null"), ("blue", "/dev/zero"))
    ]
    hook = {
        "hookName": "createRuntime",
        "path": "/bin/sh",
        "args": ["sh", "-c", f"echo ran >> {tmp_path}/hook"],
    }
    mount = {"hostPath": str(brought), "containerPath": "/opt/driver", "options": ["ro", "nosuid", "rbind"]}
    edits = {"env": ["LAMPS=yes"], "mounts": [mount], "hooks": [hook]}
    document = {"cdiVersion": "0.6.0", "kind": KIND, "devices": devices, "containerEdits": edits}
    was_there = RUN.exists()
    RUN.mkdir(mode=0o755, exist_ok=True)
    path = RUN / f"coracle-test-{os.getpid()}.json"
    path.write_text(json.dumps(document))
    path.chmod(0o644)
    yield brought
    path.unlink()
    if not was_there:
        with contextlib.suppress(OSError):
            RUN.rmdir()


def inside(result: Result, path: str) -> pathlib.Path:
    return pathlib.Path(f"/proc/{result['container']['State']['Pid']}/root{path}")


def environment(result: Result) -> list[str]:
    return pathlib.Path(f"/proc/{result['container']['State']['Pid']}/environ").read_text().split("\0")


def test_devices_by_name(target: Target, lamps: pathlib.Path) -> None:
    declared: dict[str, t.Any] = {"image": target.image, **QUICK}
    red = [{"driver": "cdi", "device_ids": [f"{KIND}=red"]}]
    _planned, done = check_do_again(target, **declared, device_requests=red)
    assert {"LAMP=red", "LAMPS=yes"} <= set(environment(done))
    assert inside(done, "/dev/red").is_char_device()
    assert not inside(done, "/dev/blue").exists()
    assert inside(done, "/opt/driver/library").read_text() == "shines"
    with pytest.raises(OSError, match="Read-only"):
        inside(done, "/opt/driver/x").write_text("x")
    assert (lamps.parent / "hook").read_text() == "ran\n"
    assert done["container"]["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == [f"{KIND}=red"]
    [said] = target.run(target.exec(argv=["sh", "-c", "echo x > /dev/red"]))
    assert said["rc"] == 0

    both = [{"device_ids": [f"{KIND}=red", f"{KIND}=blue"]}]
    _planned, done = check_do_again(target, **declared, device_requests=both)
    assert done["actions"] == [f"recreate container web: device_requests: {KIND}=blue is new"]
    assert inside(done, "/dev/blue").is_char_device()
    _planned, done = check_do_again(target, **declared)
    assert not inside(done, "/dev/red").exists()
    assert not inside(done, "/opt/driver").exists()

    _planned, done = check_do_again(target, **declared, devices=[f"{KIND}=blue", "/dev/full:/dev/whole"])
    assert inside(done, "/dev/blue").is_char_device()
    assert inside(done, "/dev/whole").is_char_device()
    target.remove()


def test_devices_that_nobody_describes(target: Target, lamps: pathlib.Path) -> None:
    first = target.make(**QUICK)
    declared: dict[str, t.Any] = {"image": target.image, **QUICK}
    unknown = [{"device_ids": [f"{KIND}=green"]}]
    planned, refused, no_gpu, same = target.run(
        target.container(check=True, **declared, device_requests=unknown),
        target.container(**declared, device_requests=unknown),
        target.container(**declared, device_requests=[{"driver": "nvidia", "count": -1}]),
        target.container(**declared),
    )
    sentence = f"device_requests: {KIND}=green is described neither in /etc/cdi nor in /run/cdi"
    assert sentence in planned["warnings"][0]
    assert sentence in refused["msg"]
    assert f"there are {KIND}=blue, {KIND}=red" in refused["msg"]
    assert "nvidia.com/gpu=all is described neither" in no_gpu["msg"]
    assert not same["changed"]
    assert same["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    target.remove()
