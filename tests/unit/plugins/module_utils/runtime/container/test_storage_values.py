# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.mount_values import (
    parse_tmpfs,
    parse_volumes,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.storage_values import (
    parse_mounts,
    parse_volumes_from,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

SAME_AS_VOLUMES = [
    ({"type": "bind", "source": "/srv//x/", "target": "/x", "create_mountpoint": True}, "/srv/x:/x"),
    (
        {"type": "bind", "source": "/srv", "target": "/x/", "read_only": True, "propagation": "rslave",
         "create_mountpoint": True, "consistency": "cached"},
        "/srv:/x:ro,rslave",
    ),
    (
        {"type": "bind", "source": "/srv", "target": "/x", "non_recursive": True, "propagation": "rprivate",
         "create_mountpoint": True},
        "/srv:/x:bind",
    ),
    (
        {"type": "bind", "source": "/srv", "target": "/x", "read_only": True, "create_mountpoint": True,
         "read_only_force_recursive": True, "read_only_non_recursive": False},
        "/srv:/x:ro",
    ),
    ({"target": "/x", "source": "data"}, "data:/x"),
    ({"target": "/x", "source": "data", "type": "volume", "no_copy": False}, "data:/x"),
    ({"target": "/x", "source": "data", "volume_driver": "local", "labels": {}}, "data:/x"),
    ({"target": "/x", "source": "data", "no_copy": True, "read_only": True}, "data:/x:ro,nocopy"),
    ({"target": "/x"}, "/x"),
    ({"target": "/x", "source": "", "subpath": "./"}, "/x"),
    ({"target": "/x", "source": None, "read_only": None, "subpath": None}, "/x"),
]  # fmt: skip


@pytest.mark.parametrize(("mount", "volume"), SAME_AS_VOLUMES)
def test_what_can_be_written_both_ways_is_the_same(mount: dict[str, t.Any], volume: str) -> None:
    assert parse_mounts([mount], "mounts") == parse_volumes([volume], "volumes")


@pytest.mark.parametrize(
    ("mount", "tmpfs"),
    [
        ({}, "/run"),
        ({"tmpfs_size": "64m"}, "/run:size=67108864"),
        ({"tmpfs_mode": "1777", "tmpfs_size": 1024}, "/run:size=1k,mode=1777"),
        ({"tmpfs_options": [{"exec": ""}, {"uid": 7}]}, "/run:exec,uid=7"),
        ({"tmpfs_options": ["exec", {"size": "1m", "noatime": None}]}, "/run:exec,noatime,size=1m"),
        ({"read_only": True}, "/run:ro"),
    ],
)
def test_a_tmpfs_is_the_same_as_in_tmpfs(mount: dict[str, t.Any], tmpfs: str) -> None:
    [normal] = parse_mounts([{"type": "tmpfs", "target": "/run", **mount}], "mounts")
    assert {"/run": ",".join(normal["options"])} == parse_tmpfs([tmpfs], "tmpfs")
    assert normal["read_only"] is False


@pytest.mark.parametrize(
    ("mount", "extras"),
    [
        ({"type": "bind", "source": "/srv"}, {"create": False}),
        ({"labels": {"a": 1}}, {"labels": {"a": "1"}}),
        ({"volume_options": {"type": "tmpfs"}}, {"driver_options": {"type": "tmpfs"}}),
        ({"source": "data", "subpath": "a//b/./c/"}, {"subpath": "a/b/c"}),
        ({"type": "image", "source": "app:1"}, {}),
        ({"type": "image", "source": "app", "subpath": "srv", "read_only": True}, {"subpath": "srv"}),
    ],
)
def test_what_only_mounts_can_say(mount: dict[str, t.Any], extras: dict[str, t.Any]) -> None:
    [normal] = parse_mounts([{"target": "/x", **mount}], "mounts")
    known = {"type", "source", "target", "read_only", "options"}
    assert {key: content for key, content in normal.items() if key not in known} == extras


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("app", "docker.io/library/app:latest"),
        ("registry.example.com/app:2", "registry.example.com/app:2"),
        ("a" * 64, "sha256:" + "a" * 64),
        ("sha256:" + "a" * 64, "sha256:" + "a" * 64),
    ],
)
def test_images_have_one_name(source: str, name: str) -> None:
    [normal] = parse_mounts([{"type": "image", "source": source, "target": "/x"}], "mounts")
    assert (normal["source"], normal["read_only"]) == (name, True)


def test_sorted_by_target() -> None:
    mounts = parse_mounts([{"target": "/b"}, {"target": "/a"}], "mounts")
    assert [mount["target"] for mount in mounts] == ["/a", "/b"]
    assert parse_mounts(mounts, "mounts") == mounts


BAD: list[tuple[dict[str, t.Any], str]] = [
    ({}, "target is missing"),
    ({"target": "x"}, "target: 'x' is not an absolute path"),
    ({"target": "/"}, "would cover the whole container"),
    ({"target": "/x", "type": "npipe"}, "not a type of mount"),
    ({"target": "/x", "type": "bind"}, "type bind needs source"),
    ({"target": "/x", "type": "bind", "source": "data"}, "is not an absolute path"),
    ({"target": "/x", "type": "bind", "source": "./data"}, "relative source"),
    (
        {"target": "/x", "type": "bind", "source": "/srv", "no_copy": False},
        "no_copy has no meaning for type bind",
    ),
    ({"target": "/x", "type": "bind", "source": "/srv", "tmpfs_size": "1m"}, "it is for type tmpfs"),
    ({"target": "/x", "type": "bind", "source": "/srv", "subpath": "x"}, "it is for type volume and image"),
    ({"target": "/x", "type": "bind", "source": "/srv", "propagation": "rpublic"}, "is unknown"),
    ({"target": "/x", "source": "/srv"}, "is a path, not a volume"),
    ({"target": "/x", "source": "a/b"}, "neither a path nor a volume name"),
    (
        {"target": "/x", "source": "data", "propagation": "rslave"},
        "propagation has no meaning for type volume",
    ),
    ({"target": "/x", "source": "data", "create_mountpoint": True}, "create_mountpoint has no meaning"),
    ({"target": "/x", "volume_driver": "rexray"}, "there is only local"),
    ({"target": "/x", "labels": {"a": True}}, "quote it"),
    ({"target": "/x", "subpath": "/etc"}, "not a relative path"),
    ({"target": "/x", "subpath": "a/../../b"}, "not a relative path"),
    ({"target": "/x", "subpath": "a\n"}, "control characters"),
    ({"target": "/x", "type": "tmpfs", "source": "x"}, "source has no meaning for type tmpfs"),
    ({"target": "/x", "type": "tmpfs", "tmpfs_mode": "9"}, "tmpfs_mode: '9' is not a mode"),
    ({"target": "/x", "type": "tmpfs", "tmpfs_size": "lots"}, "tmpfs_size: 'lots' is not a size"),
    ({"target": "/x", "type": "tmpfs", "tmpfs_size": 1, "tmpfs_options": ["size=2"]}, "gives size twice"),
    ({"target": "/x", "type": "tmpfs", "tmpfs_options": ["bogus"]}, "unknown option 'bogus'"),
    ({"target": "/x", "type": "image"}, "type image needs source"),
    ({"target": "/x", "type": "image", "source": "UPPER"}, "UPPER"),
    ({"target": "/x", "type": "image", "source": "app", "read_only": False}, "only be mounted read-only"),
    (
        {"target": "/x", "type": "image", "source": "app", "labels": {}},
        "labels has no meaning for type image",
    ),
    ({"target": "/x", "read_only": "yes"}, "neither true nor false"),
    ({"target": "/x", "bogus": 1}, "bogus has no meaning"),
]


@pytest.mark.parametrize(("mount", "problem"), BAD)
def test_what_is_refused(mount: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_mounts([mount], "mounts")
    assert problem in str(caught.value)


@pytest.mark.parametrize("value", ["/x", {"target": "/x"}, ["/x"], [7], [[]]])
def test_no_list_of_dictionaries(value: t.Any) -> None:
    with pytest.raises(InvalidInput, match="mounts"):
        parse_mounts(value, "mounts")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"read_only_non_recursive": True}, "read_only_non_recursive has no meaning for what can be written"),
        ({"read_only_force_recursive": True}, "read_only_force_recursive has no meaning for what can be"),
        (
            {"read_only": True, "non_recursive": True, "read_only_non_recursive": True},
            "non_recursive and read_only_non_recursive contradict each other",
        ),
        (
            {"read_only": True, "read_only_non_recursive": True, "read_only_force_recursive": True},
            "contradict each other",
        ),
        ({"type": "volume", "read_only_non_recursive": True}, "has no meaning for type volume"),
    ],
)
def test_what_is_below_a_read_only_mount(given: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_mounts([{"type": "bind", "source": "/srv", "target": "/x", **given}], "mounts")


def test_a_target_is_named_once() -> None:
    with pytest.raises(InvalidInput, match="/x is there twice"):
        parse_mounts([{"target": "/x"}, {"target": "/x/"}], "mounts")


@pytest.mark.parametrize(
    ("spellings", "normal"),
    [
        ([["db"], ["db:rw"], ["db", "db"]], [("db", False)]),
        ([["db:ro"]], [("db", True)]),
        ([["b", "a:ro"]], [("b", False), ("a", True)]),
        ([[]], []),
    ],
)
def test_volumes_from(spellings: list[list[str]], normal: list[tuple[str, bool]]) -> None:
    expected = [{"container": name, "read_only": read_only} for name, read_only in normal]
    assert [parse_volumes_from(one, "volumes_from") for one in spellings] == [expected] * len(spellings)
    assert parse_volumes_from(expected, "volumes_from") == expected


@pytest.mark.parametrize("text", ["", ":ro", "db:z", "a/b", "-x", "db:ro:rw", True, "db\n"])
def test_volumes_from_that_are_refused(text: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"^volumes_from"):
        parse_volumes_from([text], "volumes_from")


def test_one_container_in_two_ways() -> None:
    with pytest.raises(InvalidInput, match="names db a second time"):
        parse_volumes_from(["db", "db:ro"], "volumes_from")


KEYS = [
    *("type", "source", "target", "read_only", "propagation", "no_copy", "labels", "tmpfs_size"),
    *("tmpfs_mode", "tmpfs_options", "create_mountpoint", "non_recursive", "subpath"),
    *("read_only_non_recursive", "read_only_force_recursive"),
    *("volume_options", "volume_driver"),
]
CONTENT = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(["bind", "volume", "tmpfs", "image", "/x", "data", "rslave", "1m", "a/b"]),
    st.text("/.:,=abc \n", max_size=8),
    st.lists(st.text("/=ab", max_size=4), max_size=2),
    st.dictionaries(st.text("ab", max_size=2), st.text("ab", max_size=2), max_size=2),
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), CONTENT), max_size=3))
def test_anything_is_parsed_or_refused(value: list[dict[str, t.Any]]) -> None:
    try:
        normal = parse_mounts(value, "mounts")
    except InvalidInput:
        return
    assert parse_mounts(normal, "mounts") == normal
