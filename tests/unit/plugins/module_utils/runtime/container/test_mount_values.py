# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pwd
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import mount_values
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.mount_values import (
    parse_devices,
    parse_path,
    parse_tmpfs,
    parse_volumes,
    parse_working_dir,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


def volume(kind: str, source: str, target: str, read_only: bool = False, *options: str) -> dict[str, t.Any]:
    return {
        "type": kind,
        "source": source,
        "target": target,
        "read_only": read_only,
        "options": list(options),
    }


VOLUMES = [
    (["/srv/www:/www", "/srv//www/:/www/", "/srv/www:/www:rw", "/srv/./www:/www:rprivate,rw",
     "/srv/www:/www:cached"],
     volume("bind", "/srv/www", "/www")),
    (["/srv:/www:ro", "/srv:/www:ro,rprivate", "/srv:/www:rbind,ro"], volume("bind", "/srv", "/www", True)),
    (["/srv:/www:z,ro,rslave", "/srv:/www:rslave,ro,z"], volume("bind", "/srv", "/www", True, "rslave", "z")),
    (["data:/data", "data:/data:rw", "data:/data/"], volume("volume", "data", "/data")),
    (["data:/data:nocopy,noexec", "data:/data:noexec,nocopy"], volume("volume", "data", "/data", False,
     "nocopy", "noexec")),
    (["/data", "/data/", "//data"], volume("volume", "", "/data")),
    (["/:/host:ro,bind"], volume("bind", "/", "/host", True, "bind")),
]  # fmt: skip


@pytest.mark.parametrize(("spellings", "normal"), VOLUMES)
def test_volumes(spellings: list[str], normal: dict[str, t.Any]) -> None:
    assert [parse_volumes([text], "volumes") for text in spellings] == [[normal]] * len(spellings)
    assert parse_volumes([normal], "volumes") == [normal]


def test_volumes_are_sorted_by_target_and_named_once() -> None:
    assert [entry["target"] for entry in parse_volumes(["/b:/b", "/a:/a", "/b:/b/"], "volumes")] == [
        "/a",
        "/b",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not an absolute path"),
        ("data", "is not an absolute path"),
        ("./data:/data", "relative source"),
        ("~other/data:/data", "relative source"),
        ("data:data", "is not a volume"),
        ("/data:ro", "is not a volume"),
        ("/a:/b:ro:rw", "is not a volume"),
        ("a/b:/data", "neither a path nor a volume name"),
        (".x:/data", "relative source"),
        ("/srv:/", "cover the whole container"),
        ("/srv:/a/../b", 'contains ".."'),
        ("/srv/../etc:/a", 'contains ".."'),
        ("/srv:/a:rox", "unknown mode 'rox'"),
        ("/srv:/a:ro,rw", "ro and rw at once"),
        ("/srv:/a:shared,slave", "at once"),
        ("/srv:/a:exec,noexec", "exec and noexec at once"),
        ("/srv:/a:nocopy", "which a bind cannot have"),
        ("data:/a:rshared", "which a volume cannot have"),
        ("/srv:/a\n", "control characters"),
        ("/srv\udc80:/a", "control characters"),
        ("/srv:/" + "a" * 256, "too long"),
        ("/srv:" + "/ab" * 1400, "too long"),
    ],
)
def test_volumes_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=r"^volumes: ") as error:
        parse_volumes([text], "volumes")
    assert problem in error.value.message


def test_two_volumes_for_one_target() -> None:
    with pytest.raises(InvalidInput, match="second volume for /a"):
        parse_volumes(["/x:/a", "/y:/a/"], "volumes")


TMPFS = [
    (["/run", "/run/", "/run:rw,noexec,nosuid,nodev", "/run:defaults"], ""),
    (["/run:size=64m", "/run:size=67108864,rw", "/run:size=65536k"], "size=67108864"),
    (["/run:exec,size=10%", "/run:size=10%,exec"], "exec,size=10%"),
    (["/run:mode=755,uid=007,gid=0", "/run:gid=0,mode=0755,uid=7"], "gid=0,mode=0755,uid=7"),
    (["/run:ro,noatime"], "noatime,ro"),
    (["/run:mode=1777", "/run:mode=01777,rw"], "mode=1777"),
]


@pytest.mark.parametrize(("spellings", "normal"), TMPFS)
def test_tmpfs(spellings: list[str], normal: str) -> None:
    assert [parse_tmpfs([text], "tmpfs") for text in spellings] == [{"/run": normal}] * len(spellings)
    assert parse_tmpfs({"/run": normal}, "tmpfs") == {"/run": normal}


@pytest.mark.parametrize(
    "text",
    ["", "run", "/", "/run:size", "/run:size=x", "/run:mode=9", "/run:mode=077777", "/run:uid=-1", "/run:foo",
     "/run:foo=1", "/run:exec,noexec", "/run:size=1,size=2", "/run/../etc", "/run:nr_inodes=5%", 7],
)  # fmt: skip
def test_tmpfs_that_are_refused(text: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"^tmpfs: "):
        parse_tmpfs([text], "tmpfs")


DEVICES = [
    (["/dev/fuse", "/dev/fuse:/dev/fuse", "/dev/fuse:rwm", "/dev/fuse:/dev/fuse:mwr", "/dev//fuse"],
     {"path_on_host": "/dev/fuse", "path_in_container": "/dev/fuse", "permissions": "rwm"}),
    (["/dev/sda:/dev/xvda:r"], {"path_on_host": "/dev/sda", "path_in_container": "/dev/xvda",
     "permissions": "r"}),
    (["/dev/sda:wr"], {"path_on_host": "/dev/sda", "path_in_container": "/dev/sda", "permissions": "rw"}),
]  # fmt: skip


@pytest.mark.parametrize(("spellings", "normal"), DEVICES)
def test_devices(spellings: list[str], normal: dict[str, str]) -> None:
    assert [parse_devices([text], "devices") for text in spellings] == [[normal]] * len(spellings)
    assert parse_devices([normal], "devices") == [normal]


@pytest.mark.parametrize(
    "text",
    ["", "fuse", "/dev/fuse:x", "/dev/fuse:", "/dev/a:/dev/b:rwmx", "/dev/a:/dev/b:r:w", "/dev/a:/data/a",
     "/data",
     "/dev/a:/dev/../etc/a", "/dev/tty1:/dev/console", "/dev/null:/dev/pts/0", "/dev",
     "vendor.com/class="],
)  # fmt: skip
def test_devices_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^devices: "):
        parse_devices([text], "devices")


@pytest.mark.parametrize(
    "text", ["/proc/self/fd/7", "/proc", "//proc/1/cwd", "/proc/./self", "app", "/a/../proc"]
)
def test_no_working_directory_in_proc(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^working_dir: "):
        parse_working_dir(text, "working_dir")


PARTS = st.text(
    st.characters(exclude_characters="/\0:", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5
)


@given(st.lists(PARTS, max_size=5), st.data())
def test_a_path_does_not_depend_on_its_slashes(parts: list[str], data: st.DataObject) -> None:
    parts = [part for part in parts if part not in (".", "..")]
    noisy = "".join(data.draw(st.sampled_from(["/", "//", "/./"])) + part for part in parts)
    noisy += data.draw(st.sampled_from(["/", "//", "/."]))
    normal = parse_path(noisy, "volumes")
    assert normal == "/" + "/".join(parts)
    assert parse_path(normal, "volumes") == normal


@given(
    st.sampled_from([mount_values.parse_volumes, parse_tmpfs, parse_devices]),
    st.one_of(
        st.none(),
        st.text(),
        st.integers(),
        st.lists(st.one_of(st.text("/.:,=devprosyc \n", max_size=20), st.integers())),
    ),
)
def test_anything_is_parsed_or_refused(parse: t.Callable[[t.Any, str], t.Any], value: t.Any) -> None:
    try:
        normal = parse(value, "option")
    except InvalidInput:
        return
    assert parse(normal, "option") == normal


def test_the_home_directory_is_that_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    home = pwd.getpwnam("root").pw_dir
    found = parse_volumes(["~/data:/a", "~:/b:ro"], "volumes")
    assert [volume["source"] for volume in found] == [f"{home}/data", home]
