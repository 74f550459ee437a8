# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import stat
import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.users import (
    ResolvedUser,
    resolve_user,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
    NotFound,
)
from ansible_collections.coracle.engine.tests.unit.plugins.module_utils.runtime.container.roots import (
    descriptor,
)

PASSWD = """root:x:0:0:root:/root:/bin/sh
# app:x:9:9:a comment
app:x:1000:1001:an app:/home/app:/bin/sh
short:x:7:8
twin:x:1000:5:second of its number:/twin:/bin/sh
relative:x:8:8::home:/bin/sh
broken:x:abc:0::/:/bin/sh
4000:x:77:0:a name of digits:/:/bin/sh
huge:x:4294967296:0::/:/bin/sh
"""
GROUP = """root:x:0:
adm:x:4:app,other
audio:x:29:other,app
app:x:1001:
nearly:x:50:apple,myapp
4001:x:78:
huge:x:99999999999:
"""


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text(PASSWD)
    (tmp_path / "etc" / "group").write_text(GROUP)
    return tmp_path


def resolve(root: pathlib.Path, user: str, *groups: str) -> ResolvedUser:
    with descriptor(root) as fd:
        return resolve_user(fd, user, groups)


@pytest.mark.parametrize(
    ("user", "groups", "resolved"),
    [
        ("", (), ResolvedUser(0, 0, [0], "/root")),
        ("root", (), ResolvedUser(0, 0, [0], "/root")),
        ("0", (), ResolvedUser(0, 0, [0], "/root")),
        ("app", (), ResolvedUser(1000, 1001, [4, 29, 1001], "/home/app")),
        ("1000", (), ResolvedUser(1000, 1001, [4, 29, 1001], "/home/app")),
        ("app:audio", (), ResolvedUser(1000, 29, [29], "/home/app")),
        ("app:29", (), ResolvedUser(1000, 29, [29], "/home/app")),
        ("app:4321", (), ResolvedUser(1000, 4321, [4321], "/home/app")),
        ("1234", (), ResolvedUser(1234, 0, [0], "/")),
        ("1234:adm", ("audio", "77"), ResolvedUser(1234, 4, [4, 29, 77], "/")),
        ("app", ("50",), ResolvedUser(1000, 1001, [4, 29, 50, 1001], "/home/app")),
        ("short", (), ResolvedUser(7, 8, [8], "/")),
        ("relative", (), ResolvedUser(8, 8, [8], "/")),
    ],
)
def test_users_and_groups(
    root: pathlib.Path, user: str, groups: tuple[str, ...], resolved: ResolvedUser
) -> None:
    assert resolve(root, user, *groups) == resolved


def test_a_number_is_a_number(root: pathlib.Path) -> None:
    assert resolve(root, "4000").uid == 4000
    assert resolve(root, "1:4001").gid == 4001
    assert resolve(root, "1", "4001").additional_gids == [0, 4001]


@pytest.mark.parametrize(
    ("user", "groups", "message"),
    [
        ("nobody", (), "unable to find user nobody: it is not in /etc/passwd of the image"),
        ("broken", (), "unable to find user broken: it is not"),
        (".*", (), "unable to find user"),
        ("app:none", (), "unable to find group none: it is not in /etc/group of the image"),
        ("app", ("none",), "unable to find group none"),
    ],
)
def test_names_that_the_image_does_not_know(
    root: pathlib.Path, user: str, groups: t.Any, message: str
) -> None:
    with pytest.raises(NotFound, match=f"^{message}") as error:
        resolve(root, user, *groups)
    assert "number" in error.value.hint


@pytest.mark.parametrize("user", ["huge", "0:huge"])
def test_ids_beyond_the_range(root: pathlib.Path, user: str) -> None:
    with pytest.raises(IntegrityError, match="which no kernel knows"):
        resolve(root, user)


def test_without_any_files(tmp_path: pathlib.Path) -> None:
    assert resolve(tmp_path, "") == ResolvedUser(0, 0, [0], "/")
    assert resolve(tmp_path, "5:6", "7") == ResolvedUser(5, 6, [6, 7], "/")
    with pytest.raises(NotFound):
        resolve(tmp_path, "root")


def replace(root: pathlib.Path, name: str, kind: str) -> None:
    path = root / "etc" / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(5 * 1024**3)
    elif kind == "loop":
        path.symlink_to(name)


@pytest.mark.parametrize("kind", ["fifo", "directory", "sparse"])
@pytest.mark.parametrize("name", ["passwd", "group"])
def test_files_that_are_none(root: pathlib.Path, name: str, kind: str) -> None:
    replace(root, name, kind)
    started = time.monotonic()
    with pytest.raises(IntegrityError, match=f"^image: /etc/{name}"):
        resolve(root, "app")
    assert time.monotonic() - started < 1


def test_a_link_in_circles(root: pathlib.Path) -> None:
    replace(root, "passwd", "loop")
    with pytest.raises(IntegrityError, match="/etc/passwd leads nowhere"):
        resolve(root, "app")


def test_links_stay_inside(root: pathlib.Path) -> None:
    (root / "etc" / "passwd").unlink()
    (root / "etc" / "passwd").symlink_to("../../../../../../etc/passwd-of-the-image")
    (root / "etc" / "passwd-of-the-image").write_text("app:x:5:6::/inside:/bin/sh\n")
    assert resolve(root, "app") == ResolvedUser(5, 6, [4, 6, 29], "/inside")


def test_the_hosts_passwd_is_out_of_reach(tmp_path: pathlib.Path) -> None:
    (tmp_path / "etc").symlink_to("/etc")
    with pytest.raises(IntegrityError, match="leads nowhere"):
        resolve(tmp_path, "root")
    (tmp_path / "etc").unlink()
    (tmp_path / "etc").symlink_to("/../../etc-of-the-image")
    with pytest.raises(NotFound):
        resolve(tmp_path, "root")


def test_millions_of_lines_take_no_time(root: pathlib.Path) -> None:
    (root / "etc" / "passwd").write_text("a\n" * (5 * 1024**2 - 100))
    (root / "etc" / "group").write_text("a:b:1:" + "x," * (5 * 1024**2 - 100))
    started = time.monotonic()
    with pytest.raises(NotFound):
        resolve(root, "app", "audio")
    assert resolve(root, "12").uid == 12
    assert time.monotonic() - started < 2


def test_an_image_device_is_not_opened(root: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not applicable: only root can make a device")
    (root / "etc" / "passwd").unlink()
    try:
        os.mknod(root / "etc" / "passwd", stat.S_IFCHR | 0o600, os.makedev(10, 130))
    except PermissionError:
        pytest.skip("not applicable: no device can be made here")
    with pytest.raises(IntegrityError, match="not a regular file"):
        resolve(root, "app")


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["", "app", "0", "app:adm", "5:5"]))
def test_any_content_resolves_or_is_refused(passwd: bytes, group: bytes, user: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "etc").mkdir()
        (root / "etc" / "passwd").write_bytes(passwd + b"\napp:x:1:2::/:/bin/sh")
        (root / "etc" / "group").write_bytes(group)
        try:
            resolved = resolve(root, user)
        except CoracleError:
            return
        assert 0 <= resolved.uid < 2**31
        assert resolved.gid in resolved.additional_gids
        assert resolved.home.startswith("/")
        assert "\n" not in resolved.home
