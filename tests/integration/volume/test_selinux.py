# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The modes z and Z. No host of ours enforces SELinux, but every kernel stores its labels."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError, InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import selinux
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    replace_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import IMAGE_NAME, Harbour
from ansible_collections.coracle.engine.tests.integration.volume.test_filling import SLEEP, data, volume

SHARED = "system_u:object_r:container_file_t:s0"


@pytest.fixture
def enforcing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A host that says so; returns its /etc/selinux."""
    (tmp_path / "selinuxfs").mkdir()
    (tmp_path / "selinuxfs" / "enforce").write_text("1")
    (tmp_path / "configuration").mkdir()
    monkeypatch.setattr(selinux, "SELINUXFS", str(tmp_path / "selinuxfs"))
    monkeypatch.setattr(selinux, "CONFIGURATION", str(tmp_path / "configuration"))
    return tmp_path / "configuration"


@pytest.fixture
def place(engine_roots: t.Any) -> pathlib.Path:
    """A directory of the host on a disk, with something in it."""
    place = pathlib.Path(engine_roots.root).parent / "place"
    (place / "sub").mkdir(parents=True)
    (place / "sub" / "file").touch()
    (place / "link").symlink_to("/etc/passwd")
    return place


def label(path: pathlib.Path | str) -> str:
    try:
        return os.getxattr(path, "security.selinux", follow_symlinks=False).decode().rstrip("\0")
    except OSError:
        return ""


def bind(source: pathlib.Path | str, *options: str) -> dict[str, t.Any]:
    return {**volume(str(source), "/a", *options), "type": "bind"}


def test_nothing_happens_where_it_is_not_enforced(stocked: Harbour, place: pathlib.Path) -> None:
    stocked.start("web", *SLEEP, volumes=[bind(place, "z")])
    assert label(place) == label(place / "sub" / "file") == ""


def test_all_files_get_the_label(stocked: Harbour, place: pathlib.Path, enforcing: pathlib.Path) -> None:
    before = label("/etc/passwd")
    stocked.start("web", *SLEEP, volumes=[bind(place, "z")])
    for path in (place, place / "sub", place / "sub" / "file", place / "link"):
        assert label(path) == SHARED
    assert label("/etc/passwd") == before


def test_a_label_of_its_own_is_kept_by_replacements(stocked: Harbour, enforcing: pathlib.Path) -> None:
    first = stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/data", "Z")])
    own = label(data(stocked))
    assert own.startswith(f"{SHARED}:c")
    assert label(data(stocked) / "file") == own
    replace_container(stocked.engine, "web", first.config, stocked.image, IMAGE_NAME, run=True, timeout=0)
    assert label(data(stocked)) == own
    stocked.start("other", *SLEEP, volumes=[volume("data2", "/srv/data", "Z")])
    assert label(data(stocked, "data2")) not in (own, "")


def test_the_policy_names_the_label(place: pathlib.Path, enforcing: pathlib.Path) -> None:
    (enforcing / "config").write_text("# comment\nSELINUX=enforcing\nSELINUXTYPE=mls\n")
    (enforcing / "mls" / "contexts").mkdir(parents=True)
    (enforcing / "mls" / "contexts" / "lxc_contexts").write_text('process = "x"\nfile = "u:r:own_t:s0"\n')
    assert selinux.container_label() == "u:r:own_t:s0"
    assert selinux.container_label("a" * 64).startswith("u:r:own_t:s0:c")


def test_two_categories_that_differ() -> None:
    labels = {selinux.container_label(f"{number:064x}") for number in range(200)}
    assert len(labels) > 190
    for one in labels:
        first, second = (int(category[1:]) for category in one.rpartition(":")[2].split(","))
        assert 0 <= first < second < 1024


@pytest.mark.parametrize(
    "path",
    ["/", "/etc", "/usr", "/home", "/home/me", "/var/lib", "/proc/1", "/dev/null", "/usr/", "/etc/../etc"],
)
def test_the_system_keeps_its_labels(path: str, enforcing: pathlib.Path) -> None:
    with pytest.raises(InvalidInput, match="belongs to the system"):
        selinux.relabel(path, SHARED)


def test_a_link_to_the_system_is_seen_through(
    stocked: Harbour, place: pathlib.Path, enforcing: pathlib.Path
) -> None:
    (place / "innocent").symlink_to("/etc")
    before = label("/etc")
    with pytest.raises(
        CoracleError, match=r"start container web: label .*/innocent for SELinux: /etc belongs"
    ):
        stocked.start("web", *SLEEP, volumes=[bind(place / "innocent", "z")])
    assert label("/etc") == before


def test_what_is_right_already_is_not_written_again(
    stocked: Harbour, place: pathlib.Path, enforcing: pathlib.Path
) -> None:
    stocked.start("web", *SLEEP, volumes=[bind(place, "z")])
    changed = (place / "sub" / "file").stat().st_ctime_ns
    stop_container(stocked.engine, "web", timeout=0)
    stocked.start("web")
    assert (place / "sub" / "file").stat().st_ctime_ns == changed
