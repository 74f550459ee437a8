# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Devices by name: which description counts, and what it does to the runtime specification."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import cdi
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    CoracleError,
    HostNotReady,
    IntegrityError,
    NotFound,
)

Document = dict[str, t.Any]
KIND = "example.com/lamp"


@pytest.fixture(autouse=True)
def written_by_their_owner(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    monkeypatch.setattr(cdi, "OWNER", os.geteuid())
    before = os.umask(0o022)
    yield
    os.umask(before)


def document(*names: str, **edits: t.Any) -> Document:
    devices = [{"name": name, "containerEdits": {"env": [f"LAMP={name}"]}} for name in names]
    return {"cdiVersion": "0.6.0", "kind": KIND, "devices": devices, "containerEdits": edits}


def places(tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    etc, run = tmp_path / "etc", tmp_path / "run"
    etc.mkdir()
    run.mkdir()
    return etc, run


def write(path: pathlib.Path, content: Document) -> None:
    path.write_text(json.dumps(content))
    path.chmod(0o644)


def test_who_may_describe(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etc, run = places(tmp_path)
    write(etc / "lamp.json", document("1"))
    monkeypatch.setattr(cdi, "OWNER", os.geteuid() + 1)
    with pytest.raises(NotFound, match="can be written by others than root"):
        cdi.find_devices([f"{KIND}=1"], (str(etc), str(run)))


def blank() -> Document:
    return {
        "process": {"env": ["PATH=/bin", "LAMP=image"], "user": {"additionalGids": [7]}},
        "linux": {"devices": [], "resources": {"devices": [{"allow": False, "access": "rwm"}]}},
        "mounts": [{"destination": "/proc"}, {"destination": "/a/b/c"}],
    }


def edited(tmp_path: pathlib.Path, content: Document, *names: str) -> Document:
    etc, run = places(tmp_path)
    write(etc / "lamp.json", content)
    spec = blank()
    cdi.add_devices(spec, [f"{KIND}={name}" for name in names], (str(etc), str(run)))
    return spec


def test_a_device_with_everything(tmp_path: pathlib.Path) -> None:
    spec = edited(
        tmp_path,
        document(
            "1",
            "2",
            env=["LAMPS=yes"],
            additionalGids=[7, 44],
            deviceNodes=[{"path": "/dev/lamp", "hostPath": "/dev/null", "permissions": "rw", "gid": 44}],
            mounts=[
                {"hostPath": "/etc", "containerPath": "/a/b", "options": ["ro", "nosuid"]},
                {"hostPath": "none", "containerPath": "/t", "type": "tmpfs"},
            ],
            hooks=[{"hookName": "createContainer", "path": "/bin/true", "args": ["true"], "timeout": 3}],
        ),
        "1",
        "2",
    )
    assert spec["process"]["env"] == ["PATH=/bin", "LAMPS=yes", "LAMP=2"]
    assert spec["process"]["user"]["additionalGids"] == [7, 44]
    [node] = spec["linux"]["devices"]
    assert {name: node[name] for name in ("path", "type", "major", "minor", "uid", "gid")} == {
        "path": "/dev/lamp", "type": "c", "major": 1, "minor": 3, "uid": 0, "gid": 44,
    }  # fmt: skip
    assert spec["linux"]["resources"]["devices"][1:] == [
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}
    ]
    assert [mount["destination"] for mount in spec["mounts"]] == ["/proc", "/t", "/a/b", "/a/b/c"]
    assert spec["mounts"][2]["options"] == ["rbind", "ro", "nosuid"]
    assert spec["hooks"] == {"createContainer": [{"path": "/bin/true", "args": ["true"], "timeout": 3}]}


def test_what_was_described_since_the_last_boot_wins(tmp_path: pathlib.Path) -> None:
    etc, run = places(tmp_path)
    write(etc / "a.json", document("1", "2"))
    write(run / "b.json", document("1"))
    directories = (str(etc), str(run))
    assert cdi.find_devices([f"{KIND}=1"], directories)[f"{KIND}=1"].path == str(run / "b.json")
    assert cdi.find_devices([f"{KIND}=2"], directories)[f"{KIND}=2"].path == str(etc / "a.json")
    write(run / "c.json", document("1"))
    with pytest.raises(Conflict, match=r"is in .*b.json and in .*c.json"):
        cdi.find_devices([f"{KIND}=1"], directories)


def test_yaml(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etc, run = places(tmp_path)
    directories = (str(etc), str(run))
    path = etc / "lamp.yaml"
    path.write_text(
        f"cdiVersion: 0.6.0\nkind: {KIND}\ndevices:\n- name: '1'\n  containerEdits:\n    env: [A=b]\n"
    )
    assert cdi.find_devices([f"{KIND}=1"], directories)[f"{KIND}=1"].edits == [{}, {"env": ["A=b"]}]
    path.write_text("a: [")
    with pytest.raises(NotFound, match=r"is described neither in .* nor in .*lamp.yaml: "):
        cdi.find_devices([f"{KIND}=1"], directories)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(NotFound, match=r"is YAML, which Python cannot read here \(install python3-yaml"):
        cdi.find_devices([f"{KIND}=1"], directories)


def test_descriptions_that_do_not_count(tmp_path: pathlib.Path) -> None:
    etc, run = places(tmp_path)
    directories = (str(etc), str(run), str(tmp_path / "missing"))
    for number, (content, mode) in enumerate(
        (('{"kind": 1}', 0o644), ("[]", 0o644), ("{", 0o644), ("{}", 0o666))
    ):
        path = etc / f"{number}.json"
        path.write_text(content)
        path.chmod(mode)
        with pytest.raises(NotFound, match=f"{KIND}=1 is described neither in .*{path}"):
            cdi.find_devices([f"{KIND}=1"], directories)
        path.unlink()
    write(etc / "lamp.json", document("1", "2"))
    with pytest.raises(NotFound, match=f"there are {KIND}=1, {KIND}=2"):
        cdi.find_devices([f"{KIND}=3"], directories)
    with pytest.raises(NotFound, match="nvidia-ctk cdi generate"):
        cdi.find_devices(["nvidia.com/gpu=all"], directories)
    with pytest.raises(NotFound, match="install what describes it"):
        cdi.find_devices(["example.com/tape=1"], directories)


@pytest.mark.parametrize(
    ("edits", "error", "problem"),
    [
        ({"netDevices": []}, HostNotReady, "it needs netDevices, which this engine does not have"),
        ({"deviceNodes": [{"path": "/dev/no-such"}]}, NotFound, "/dev/no-such is not on this host"),
        ({"deviceNodes": [{"path": "/etc/passwd"}]}, IntegrityError, "/etc/passwd is not a device"),
        ({"mounts": [{"hostPath": "/etc"}]}, IntegrityError, "KeyError.'containerPath'"),
        ({"env": [1]}, IntegrityError, "AttributeError"),
        ({"hooks": [{"hookName": "later", "path": "/x"}]}, IntegrityError, "'later' is not a moment"),
    ],
)
def test_edits_that_cannot_be(
    tmp_path: pathlib.Path, edits: Document, error: type[CoracleError], problem: str
) -> None:
    with pytest.raises(error, match=rf"lamp.json: device {KIND}=1: .*{problem}"):
        edited(tmp_path, document("1", **edits), "1")
