# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.mount_places import (
    check_mount_kinds,
    check_mount_targets,
    check_program,
    directory_modes,
    make_bind_sources,
    make_working_directory,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.storage import VolumeMount
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
    InvalidInput,
    NotFound,
)
from ansible_collections.coracle.engine.tests.unit.plugins.module_utils.runtime.container.roots import (
    descriptor,
)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "rootfs"
    for name in ("proc", "sys", "dev", "app", "run"):
        (path / name).mkdir(parents=True)
    (path / "file").write_text("")
    (tmp_path / "canary").mkdir()
    return path


LINKS = {
    "to-proc": "/proc", "dangling": "/proc/sys/kernel", "relative": "../../proc/self",
    "w": "/proc/self/fd/9/..",
    "chain": "chained", "chained": "to-proc/1", "to-dev": "dev/", "up": "app/../../../sys",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LINKS))
def test_links_into_the_forbidden_places(root: pathlib.Path, name: str) -> None:
    for link, target in LINKS.items():
        (root / link).symlink_to(target)
    with descriptor(root) as fd:
        for path in (f"/{name}", f"/{name}/below", f"/app/../{name}"):
            with pytest.raises(IntegrityError, match=r"^image: .* leads to /(proc|sys|dev)"):
                check_mount_targets(fd, [path])
            with pytest.raises(IntegrityError, match=r"^working_dir: .* leads to /(proc|sys|dev)"):
                make_working_directory(fd, path)


def test_links_in_circles(root: pathlib.Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with descriptor(root) as fd, pytest.raises(IntegrityError, match="in circles"):
        check_mount_targets(fd, ["/a/x"])


def test_ordinary_targets(root: pathlib.Path) -> None:
    (root / "var").mkdir()
    (root / "var" / "run").symlink_to("/run")
    with descriptor(root) as fd:
        check_mount_targets(
            fd, ["/var/run/app", "/new/deep/place", "/file", "/dev/shm", "/sys/fs/cgroup", "/x" * 200]
        )


def test_modes_of_directories(root: pathlib.Path) -> None:
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "link").symlink_to("tmp")
    with descriptor(root) as fd:
        modes = directory_modes(fd, ["/tmp", "/link", "/none", "/file", "/tmp/x"])
    assert modes == {"/tmp": 0o1777, "/link": 0o1777}


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_working_directory_is_made(root: pathlib.Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        with descriptor(root) as fd:
            make_working_directory(fd, "/srv/a/b")
            make_working_directory(fd, "/srv/a/b")
    finally:
        os.umask(old)
    assert [(root / name).stat().st_mode & 0o7777 for name in ("srv", "srv/a", "srv/a/b")] == [0o755] * 3


def test_the_working_directory_never_leaves_the_root(root: pathlib.Path) -> None:
    canary = root.parent / "canary"
    (root / "out").symlink_to(canary)
    (root / "up").symlink_to("../canary")
    with descriptor(root) as fd:
        make_working_directory(fd, "/out/made")
        make_working_directory(fd, "/up/made")
    assert list(canary.iterdir()) == []
    assert (root / "canary" / "made").is_dir()
    assert (root / str(canary).lstrip("/") / "made").is_dir()


def test_a_file_is_no_working_directory(root: pathlib.Path) -> None:
    with descriptor(root) as fd:
        for path in ("/file", "/file/below"):
            with pytest.raises(IntegrityError, match=r"^working_dir: /file of the image is not a directory"):
                make_working_directory(fd, path)


def test_nothing_is_made_below_a_mount(root: pathlib.Path) -> None:
    with descriptor(root) as fd:
        make_working_directory(fd, "/data/x", ["/data"])
        make_working_directory(fd, "/data", ["/data"])
    assert not (root / "data").exists()


def test_a_name_too_long(root: pathlib.Path) -> None:
    with descriptor(root) as fd, pytest.raises(OSError, match="File name too long"):
        make_working_directory(fd, "/" + "x" * 300)


def bind(source: pathlib.Path) -> VolumeMount:
    return VolumeMount("bind", str(source), "/target")


def test_missing_sources_are_made(tmp_path: pathlib.Path) -> None:
    old = os.umask(0o077)
    try:
        made = make_bind_sources([bind(tmp_path / "a" / "b"), VolumeMount("volume", "data", "/data")])
    finally:
        os.umask(old)
    assert made == [str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o7777 == 0o755
    assert make_bind_sources([bind(tmp_path / "a" / "b")]) == []


def test_sources_that_cannot_be_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(CoracleError, match=r"^volumes: create .*/file/x: "):
        make_bind_sources([bind(tmp_path / "file" / "x")])
    with pytest.raises(NotFound, match="link that leads nowhere"):
        make_bind_sources([bind(tmp_path / "link")])
    assert make_bind_sources([bind(tmp_path / "file")]) == []


# Files on files, directories on directories


def test_a_file_does_not_fit_on_a_directory_nor_the_reverse(
    root: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "key").write_text("")
    (root / "link").symlink_to("file")
    file, directory = str(tmp_path / "key"), str(tmp_path / "canary")
    with descriptor(root) as fd:
        with pytest.raises(InvalidInput) as raised:
            check_mount_kinds(fd, {"/app": file}, ["/app"])
        assert str(raised.value) == (
            f"volumes: {file} is a file, and /app of the container is a directory"
            " (name the file in the target, too: /app/key)"
        )
        for target in ("/file", "/link"):
            with pytest.raises(InvalidInput, match=f"{directory} is a directory, and {target} of"):
                check_mount_kinds(fd, {target: directory}, [target])
        fitting = {"/file": file, "/link": file, "/app": directory, "/new": file, "/app/deep/new": directory}
        check_mount_kinds(fd, fitting, [])
        check_mount_kinds(fd, {"/app": "/no/such/source"}, ["/app"])
        check_mount_kinds(fd, {"/app/x": file, "/file/x": file}, ["/app", "/file"])


def test_a_program_under_an_empty_file_system() -> None:
    covered = ["/run", "/run/tools", "/srv"]
    for program in ("/bin/x", "x", "./run/x", "/runner", "/run/tools/x", "/srv/x"):
        check_program(program, ["/run"], covered)
    for program in ("/run/x", "/run/a/b"):
        with pytest.raises(InvalidInput, match=f"^command: {program} is hidden by the tmpfs on /run, "):
            check_program(program, ["/run"], covered)
    with pytest.raises(InvalidInput, match="the tmpfs on /run/tools"):
        check_program("/run/tools/x", ["/run/tools"], covered)
