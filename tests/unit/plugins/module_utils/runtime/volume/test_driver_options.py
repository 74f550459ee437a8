# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import syscalls
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.driver_options import (
    forgets,
    parse_driver_options,
    without_secrets,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.local_driver import (
    Arguments,
    mount_arguments,
)

NORMAL = [
    ([{}, {"type": ""}, {"o": None}, {"o": "defaults"}], {}),
    (
        [{"type": "tmpfs"}, {"type": "tmpfs", "device": "tmpfs"}, {"type": " tmpfs ", "o": "defaults"}],
        {"type": "tmpfs", "device": "tmpfs"},
    ),
    (
        [{"type": "none", "device": "/srv", "o": "bind"}, {"device": "/srv", "o": "bind,"}],
        {"type": "none", "device": "/srv", "o": "bind"},
    ),
    (
        [{"o": "addr=10.0.0.1, rw", "type": "nfs", "device": ":/srv"}],
        {"type": "nfs", "device": ":/srv", "o": "addr=10.0.0.1,rw"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spellings", "normal"), NORMAL)
def test_normal_form(spellings: list[dict[str, t.Any]], normal: dict[str, str]) -> None:
    assert [parse_driver_options(one, "driver_options") for one in spellings] == [normal] * len(spellings)
    assert parse_driver_options(normal, "driver_options") == normal


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("tmpfs", "is not a dictionary"),
        ({"size": "1g"}, "no option 'size'"),
        ({"device": "/dev/sdb1"}, "type is missing"),
        ({"type": "../x", "device": "/dev/sdb1"}, "no file system"),
        ({"type": "nfs", "o": "addr=10.0.0.1"}, "device is missing"),
        ({"type": "none", "device": "/srv"}, "needs `bind`"),
        ({"type": "none", "device": "srv", "o": "bind"}, "not an absolute path"),
        ({"type": "none", "device": "/srv/../etc", "o": "bind"}, "not an absolute path"),
        ({"type": "tmpfs", "o": "remount"}, "cannot have remount"),
        ({"type": "tmpfs", "o": ["size=1m"]}, "not a text"),
        ({"type": "tmpfs", "o": "size=1m\nx"}, "not a text"),
        ({"type": True}, "not a text"),
    ],
)
def test_what_is_refused(value: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=r"^driver_options") as caught:
        parse_driver_options(value, "driver_options")
    assert problem in caught.value.message


@given(
    st.dictionaries(
        st.sampled_from(["type", "device", "o", "x"]), st.one_of(st.none(), st.text(), st.integers())
    )
)
def test_anything_is_parsed_or_refused(value: dict[str, t.Any]) -> None:
    try:
        normal = parse_driver_options(value, "driver_options")
    except InvalidInput:
        return
    assert parse_driver_options(normal, "driver_options") == normal


def test_passwords_are_not_shown() -> None:
    options = {"type": "cifs", "device": "//nas/x", "o": "addr=nas,username=me,password=hunter2,Pass=hunter3"}
    shown = without_secrets(options)
    assert "hunter" not in str(shown)
    assert shown["o"] == "addr=nas,username=me,password=(hidden),Pass=(hidden)"
    assert without_secrets({"type": "tmpfs"}) == {"type": "tmpfs"}


def test_what_is_forgotten() -> None:
    assert forgets({"type": "tmpfs"})
    assert not forgets({"type": "nfs"})
    assert not forgets({})


ADDRESSES = {
    "nas": "192.0.2.7",
    "nas.example.com": "192.0.2.8",
    "192.0.2.1": "192.0.2.1",
    "2001:db8::1": "2001:db8::1",
}


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (
            {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,noexec,ro,rw,mode=1777"},
            Arguments("tmpfs", "tmpfs", syscalls.MS_NOEXEC, "size=1m,mode=1777"),
        ),
        (
            {"type": "none", "device": "/srv", "o": "bind,ro"},
            Arguments("/srv", "", syscalls.MS_BIND | syscalls.MS_RDONLY, ""),
        ),
        (
            {"type": "none", "device": "/srv", "o": "rbind"},
            Arguments("/srv", "", syscalls.MS_BIND | syscalls.MS_REC, ""),
        ),
        (
            {"type": "nfs", "device": ":/srv", "o": "addr=nas,nolock,soft"},
            Arguments(":/srv", "nfs", 0, "addr=192.0.2.7,nolock,soft"),
        ),
        (
            {"type": "nfs4", "device": "nas.example.com:/srv"},
            Arguments("nas.example.com:/srv", "nfs4", 0, "addr=192.0.2.8"),
        ),
        (
            {"type": "nfs", "device": "[2001:db8::1]:/srv", "o": "vers=4"},
            Arguments("[2001:db8::1]:/srv", "nfs", 0, "addr=2001:db8::1,vers=4"),
        ),
        (
            {"type": "cifs", "device": "//nas/share", "o": "username=me"},
            Arguments("//nas/share", "cifs", 0, "addr=192.0.2.7,username=me"),
        ),
        (
            {"type": "ext4", "device": "/dev/sdb1", "o": "noatime,sync,dirsync,nodiratime,strictatime"},
            Arguments(
                "/dev/sdb1",
                "ext4",
                syscalls.MS_NOATIME
                | syscalls.MS_SYNCHRONOUS
                | syscalls.MS_DIRSYNC
                | syscalls.MS_NODIRATIME
                | syscalls.MS_STRICTATIME,
                "",
            ),
        ),
    ],
)
def test_what_the_kernel_is_asked(options: dict[str, str], arguments: Arguments) -> None:
    assert mount_arguments(options, ADDRESSES.__getitem__) == arguments
