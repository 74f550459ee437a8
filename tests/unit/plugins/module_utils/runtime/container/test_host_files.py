# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import host_files
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.host_files import (
    write_host_files,
)


@pytest.fixture
def etc(tmp_path: pathlib.Path) -> pathlib.Path:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "hosts").write_text("127.0.0.1 localhost\n10.0.0.1 db\n")
    (etc / "resolv.conf").write_text("nameserver 10.0.0.53\nsearch example.org\n")
    return etc


def written(tmp_path: pathlib.Path, etc: pathlib.Path, mode: str) -> dict[str, str]:
    directory = tmp_path / "container"
    directory.mkdir(exist_ok=True)
    write_host_files(str(directory), "web", mode, str(etc))
    for file in directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
    return {file.name: file.read_text() for file in directory.iterdir()}


def test_host_network(tmp_path: pathlib.Path, etc: pathlib.Path) -> None:
    assert written(tmp_path, etc, "host") == {
        "hostname": "web\n",
        "hosts": "127.0.0.1 localhost\n10.0.0.1 db\n",
        "resolv.conf": "nameserver 10.0.0.53\nsearch example.org\n",
    }


def test_no_network(tmp_path: pathlib.Path, etc: pathlib.Path) -> None:
    files = written(tmp_path, etc, "none")
    assert files["hosts"].startswith("127.0.0.1\tlocalhost\n")
    assert files["hosts"].endswith("127.0.0.1\tweb\n")
    assert files["resolv.conf"] == ""


def test_resolved_stub_is_replaced(
    tmp_path: pathlib.Path, etc: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "resolved.conf"
    monkeypatch.setattr(host_files, "_RESOLVED", str(real))
    (etc / "resolv.conf").write_text("nameserver 127.0.0.53\noptions edns0\n")
    assert written(tmp_path, etc, "host")["resolv.conf"] == "nameserver 127.0.0.53\noptions edns0\n"
    real.write_text("nameserver 192.0.2.1\n")
    assert written(tmp_path, etc, "host")["resolv.conf"] == "nameserver 192.0.2.1\n"


def test_host_without_files(tmp_path: pathlib.Path) -> None:
    files = written(tmp_path, tmp_path / "nothing", "host")
    assert "localhost" in files["hosts"]
    assert files["resolv.conf"] == ""


def test_umask_and_shorter_content(tmp_path: pathlib.Path, etc: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        written(tmp_path, etc, "host")
        assert written(tmp_path, etc, "none")["resolv.conf"] == ""
    finally:
        os.umask(before)


def test_link_is_not_followed(tmp_path: pathlib.Path, etc: pathlib.Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "container").mkdir()
    (tmp_path / "container" / "hosts").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        written(tmp_path, etc, "host")
    assert victim.read_text() == "precious"
