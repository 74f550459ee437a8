# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import errno
import os
import pathlib
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import rooted, syscalls

Opener = t.Callable[[int, str, int], int]


@pytest.fixture(params=[rooted.open_in_root, rooted.open_by_components], ids=["openat2", "components"])
def opener(request: pytest.FixtureRequest) -> Opener:
    return t.cast(Opener, request.param)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A root whose links would all lead outside if they were followed from there."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "run" / "sub").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("inside")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("outside")
    links = {
        "absolute": "/etc/passwd",
        "upwards": "../../../../etc/passwd",
        "directory": "/etc",
        "var": "run",
        "chain": "directory",
        "loop": "loop",
        "self": "/proc/self/root/etc/passwd",
        "run/sub/up": "../../etc",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return root


def content(opener: Opener, root: pathlib.Path, path: str) -> str:
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        with open(opener(root_fd, path, os.O_RDONLY), encoding="utf-8") as file:
            return file.read()
    finally:
        os.close(root_fd)


@pytest.mark.parametrize(
    "path",
    [
        "etc/passwd",
        "/etc/passwd",
        "//etc//.//passwd",
        "../etc/passwd",
        "../../../../../../etc/passwd",
        "etc/../../etc/passwd",
        "absolute",
        "upwards",
        "directory/passwd",
        "chain/passwd",
        "run/sub/up/passwd",
        "var/sub/up/../etc/passwd",
    ],
)
def test_every_way_to_a_file_ends_inside(opener: Opener, root: pathlib.Path, path: str) -> None:
    assert content(opener, root, path) == "inside"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("loop", OSError),
        ("self", FileNotFoundError),
        ("etc/passwd/x", NotADirectoryError),
        ("etc/passwd/", NotADirectoryError),
        ("missing/x", FileNotFoundError),
        ("etc", IsADirectoryError),
    ],
)
def test_what_is_not_there_is_an_error(
    opener: Opener, root: pathlib.Path, path: str, error: type[OSError]
) -> None:
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    with pytest.raises(error):
        opener(root_fd, path, os.O_WRONLY)
    os.close(root_fd)


def test_a_file_is_created_inside_with_its_mode(opener: Opener, root: pathlib.Path) -> None:
    create = t.cast("t.Callable[[int, str, int, int], int]", opener)
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    os.close(create(root_fd, "../directory/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
    os.close(root_fd)
    assert (root / "etc" / "new").stat().st_mode & 0o777 == 0o640


def test_descriptors_are_not_inherited_and_none_is_left(opener: Opener, root: pathlib.Path) -> None:
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    before = set(os.listdir("/proc/self/fd"))
    fd = opener(root_fd, "run/sub/up/passwd", os.O_RDONLY)
    assert not os.get_inheritable(fd)
    os.close(fd)
    with pytest.raises(OSError):
        opener(root_fd, "run/sub/up/missing/x", os.O_RDONLY)
    assert set(os.listdir("/proc/self/fd")) == before
    os.close(root_fd)


def test_the_kernel_without_openat2_gets_the_other_way(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_args: object) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(syscalls, "openat2", missing)
    assert content(t.cast(Opener, rooted.open_in_root), root, "upwards") == "inside"


NAMES = st.sampled_from(["a", "b", "c", "..", "."])
PATHS = st.builds(
    lambda absolute, names, slash: absolute + "/".join(names) + slash,
    st.sampled_from(["", "/"]),
    st.lists(NAMES, min_size=1, max_size=6),
    st.sampled_from(["", "/"]),
)


@hypothesis.settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    links=st.dictionaries(st.sampled_from(["a/b", "b", "a/a/c", "c"]), PATHS, max_size=4),
    path=PATHS,
    flags=st.sampled_from((os.O_RDONLY, os.O_PATH, os.O_PATH | os.O_NOFOLLOW, os.O_DIRECTORY)),
)
def test_both_ways_agree(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], path: str, flags: int
) -> None:
    """The kernel judges the fallback: the same file or the same errno, for any links and any path."""
    root = tmp_path_factory.mktemp("root")
    (root / "a" / "a").mkdir(parents=True)
    (root / "a" / "a" / "b").touch()
    for name, target in links.items():
        (root / name).symlink_to(target)
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)

    def result(opener: t.Any) -> tuple[int, int]:
        try:
            fd = opener(root_fd, path, flags)
        except OSError as error:
            return (-1, t.cast(int, error.errno))
        found = os.fstat(fd)
        os.close(fd)
        return (found.st_dev, found.st_ino)

    try:
        assert result(rooted.open_by_components) == result(rooted.open_in_root)
    finally:
        os.close(root_fd)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EAGAIN])
def test_the_other_way_is_taken(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Where the kernel has no openat2, and where renames and mounts elsewhere never let it finish."""

    def refuse(*_arguments: t.Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(syscalls, "openat2", refuse)
    (tmp_path / "link").symlink_to("/../../file")
    (tmp_path / "file").write_text("inside")
    root_fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    fd = rooted.open_in_root(root_fd, "link", os.O_RDONLY)
    with open(fd) as file:
        assert file.read() == "inside"
    os.close(root_fd)
