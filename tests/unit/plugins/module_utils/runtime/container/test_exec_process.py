# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.exec_process import (
    ExecRequest,
    build_exec_process,
    init_process,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import ContainerRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    InvalidInput,
    NotFound,
    StateError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.terminal import Size
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.unit.plugins.module_utils.runtime.container.roots import (
    descriptor,
)

INIT: dict[str, t.Any] = {
    "terminal": False,
    "user": {"uid": 33, "gid": 33, "additionalGids": [4, 33], "umask": 0o027},
    "args": ["/run/coracle-init", "--", "serve"],
    "env": ["HOME=/var/www", "PATH=/bin", "HOSTNAME=shared", "MODE=slow"],
    "cwd": "/srv",
    "capabilities": {
        "bounding": ["CAP_CHOWN", "CAP_KILL"],
        "effective": [],
        "permitted": [],
        "inheritable": [],
        "ambient": [],
    },
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 9}],
    "noNewPrivileges": True,
    "oomScoreAdj": 7,
    "apparmorProfile": "strict",
}
SAME = ("rlimits", "noNewPrivileges", "oomScoreAdj", "apparmorProfile")


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "srv" / "www").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:\napp:x:1000:1000::/home/app:\n")
    (root / "etc" / "group").write_text("adm:x:4:\nextra:x:2000:app\n")
    return root


def record(**config: t.Any) -> ContainerRecord:
    image = ImageConfig(cmd=["serve"], env=["PATH=/bin"])
    asked = ContainerConfig(**{"env": {"MODE": "slow"}, "groups": ["4"], **config})
    return ContainerRecord("c" * 64, "web", "sha256:1", "web:1", image, asked, "now")


def build(root: pathlib.Path, made: ContainerRecord | None = None, **request: t.Any) -> dict[str, t.Any]:
    asked = ExecRequest(**{"arguments": ["id"], **request})
    with descriptor(root) as fd:
        return build_exec_process(
            asked, made or record(), INIT, fd, lambda: ["CHOWN", "SYS_ADMIN"], Size(3, 4)
        )


def environment(process: dict[str, t.Any]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in process["env"])


def test_the_same_but_for_the_arguments(root: pathlib.Path) -> None:
    process = build(root)
    assert process["args"] == ["id"]
    assert process["cwd"].endswith("/srv")
    assert {name: process[name] for name in (*SAME, "user", "capabilities")} == {
        name: INIT[name] for name in (*SAME, "user", "capabilities")
    }
    assert environment(process) == {
        "HOME": "/var/www", "PATH": "/bin", "HOSTNAME": "shared", "MODE": "slow"
    }  # fmt: skip


def test_another_user(root: pathlib.Path) -> None:
    process = build(root, user="app")
    assert process["user"] == {"uid": 1000, "gid": 1000, "additionalGids": [4, 1000, 2000], "umask": 0o027}
    assert process["capabilities"]["effective"] == []
    assert environment(process)["HOME"] == "/home/app"
    assert environment(build(root, record(env={"HOME": "/given"}), user="app"))["HOME"] == "/given"
    assert environment(build(root, user="app", env={"HOME": "/asked"}))["HOME"] == "/asked"
    rooted = build(root, user="0")
    assert (
        rooted["capabilities"]["effective"] == rooted["capabilities"]["bounding"] == ["CAP_CHOWN", "CAP_KILL"]
    )
    assert {name: rooted[name] for name in SAME} == {name: INIT[name] for name in SAME}


@pytest.mark.parametrize("user", ["nobody", "app:nobodies"])
def test_users_that_are_not_there(root: pathlib.Path, user: str) -> None:
    with pytest.raises(NotFound, match="is not in /etc/") as error:
        build(root, user=user)
    assert error.value.facts["rc"] == 126


def test_a_terminal_brings_term_and_its_size(root: pathlib.Path) -> None:
    process = build(root, tty=True)
    assert process["terminal"] is True
    assert environment(process)["TERM"] == "xterm"
    assert process["consoleSize"] == {"height": 3, "width": 4}
    assert environment(build(root, record(env={"TERM": "vt100"}), tty=True))["TERM"] == "vt100"
    assert "TERM" not in environment(build(root, record(tty=True)))


def test_privileged_has_all_capabilities_and_nothing_else(root: pathlib.Path) -> None:
    process = build(root, privileged=True)
    for kind in ("bounding", "effective", "permitted"):
        assert process["capabilities"][kind] == ["CAP_CHOWN", "CAP_SYS_ADMIN"]
    assert process["capabilities"]["inheritable"] == process["capabilities"]["ambient"] == []
    assert {name: process[name] for name in SAME} == {name: INIT[name] for name in SAME}


def test_working_directories(root: pathlib.Path) -> None:
    (root / "link").symlink_to("/srv/www")
    (root / "out").symlink_to("../../../../../../srv")
    assert build(root, working_dir="/link")["cwd"].endswith("/root/srv/www")
    assert build(root, working_dir="/out")["cwd"].endswith("/root/srv")
    for path in ("/nope", "/etc/passwd"):
        with pytest.raises(NotFound, match=f"working directory {path}") as error:
            build(root, working_dir=path)
        assert error.value.facts["rc"] == 127


def test_magic_links_are_not_followed(root: pathlib.Path) -> None:
    with descriptor(pathlib.Path("/")) as fd, pytest.raises(NotFound, match="working directory"):
        build_exec_process(
            ExecRequest(["id"], working_dir=f"/proc/{os.getpid()}/cwd"), record(), INIT, fd, list
        )


@pytest.mark.parametrize("arguments", [[], [""]])
def test_nothing_to_run(root: pathlib.Path, arguments: list[str]) -> None:
    with pytest.raises(InvalidInput, match="nothing to run"):
        build(root, arguments=arguments)


@pytest.mark.parametrize("content", [None, "", "{}", "not json"])
def test_a_damaged_bundle(tmp_path: pathlib.Path, content: str | None) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "run"))
    made = record()
    os.makedirs(paths.container(made.id))
    if content is not None:
        pathlib.Path(paths.container(made.id), "config.json").write_text(content)
    with pytest.raises(StateError, match="restart the container"):
        init_process(paths, made)
