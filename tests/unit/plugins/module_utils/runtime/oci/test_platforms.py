# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import types

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput, NotFound
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci import platforms
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.documents import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import (
    Platform,
    parse_platform,
)


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("arm/v6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("armv6l", "linux/arm/v6"),
        ("i386", "linux/386"),
        ("ppc64el", "linux/ppc64le"),
        ("s390x", "linux/s390x"),
        ("Linux/RISCV64", "linux/riscv64"),
    ],
)
def test_names_of_platforms(text: str, platform: str) -> None:
    parsed = parse_platform(text)
    assert str(parsed) == platform
    assert parse_platform(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text", ["", "/", "linux/", "a/b/c/d", "linux/amd64/v1/x", "windows/amd64", "nonsense", "linux/ä"]
)
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(InvalidInput, match="platform"):
        parse_platform(text)


def test_linux_alone_is_this_host() -> None:
    assert parse_platform("linux") == platforms.host_platform()


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("i686", "linux/386"),
        ("ppc64le", "linux/ppc64le"),
        ("loongarch64", "linux/loong64"),
    ],
)
def test_what_the_kernel_calls_it(machine: str, platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: types.SimpleNamespace(machine=machine))
    assert str(platforms.host_platform()) == platform


def index(*entries: str | None) -> Index:
    """An index whose entries are numbered from 0 in their size."""
    described = tuple(
        Descriptor(OCI_MANIFEST, "sha256:" + "0" * 64, number, _platform(text))
        for number, text in enumerate(entries)
    )
    return Index(OCI_INDEX, described, "sha256:" + "1" * 64, 1)


def _platform(text: str | None) -> Platform | None:
    return platforms.normalised(*text.split("/")) if text else None


@pytest.mark.parametrize(
    ("wanted", "entries", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], 1),
        ("linux/amd64", ["linux/amd64", "linux/amd64"], 0),
        ("linux/amd64", ["windows/amd64", "linux/amd64"], 1),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64"], 1),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], 1),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v3"], 1),
        ("linux/arm64", ["linux/arm64/v8"], 0),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], 1),
        ("linux/arm/v7", ["linux/arm/v6", "linux/arm"], 1),
        ("linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], 1),
        ("linux/amd64", ["unknown/unknown", "linux/amd64"], 1),
        ("linux/amd64", [None], 0),
        ("linux/amd64", [None, "linux/amd64"], 1),
    ],
)
def test_the_choice_from_an_index(wanted: str, entries: list[str | None], chosen: int) -> None:
    assert platforms.select_platform(index(*entries), parse_platform(wanted)).size == chosen


@pytest.mark.parametrize(
    ("wanted", "entries", "offered"),
    [
        (
            "linux/amd64",
            ["linux/arm64/v8", "linux/arm/v7", "unknown/unknown"],
            "only for linux/arm/v7, linux/arm64",
        ),
        ("linux/arm/v6", ["linux/arm/v7"], "only for linux/arm/v7"),
        ("linux/amd64", ["linux/amd64/v2"], "only for linux/amd64/v2"),
        ("linux/amd64", ["linux/amd64/strange"], "only for linux/amd64/strange"),
        ("linux/amd64", [], "platforms that it does not name"),
        ("linux/amd64", [None, None], "platforms that it does not name"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(wanted: str, entries: list[str | None], offered: str) -> None:
    with pytest.raises(NotFound, match=offered):
        platforms.select_platform(index(*entries), parse_platform(wanted))


@pytest.mark.parametrize(
    ("wanted", "config"),
    [
        ("linux/amd64", ImageConfig(architecture="amd64")),
        ("linux/arm/v6", ImageConfig(architecture="arm")),
        ("linux/arm/v7", ImageConfig(architecture="arm", variant="v6")),
        ("linux/arm64", ImageConfig(architecture="arm64", variant="v8")),
        ("linux/amd64/v2", ImageConfig(architecture="amd64")),
    ],
)
def test_a_configuration_that_agrees(wanted: str, config: ImageConfig) -> None:
    platforms.check_platform(parse_platform(wanted), config)


@pytest.mark.parametrize(
    ("wanted", "config"),
    [
        ("linux/amd64", ImageConfig(architecture="arm64")),
        ("linux/amd64", ImageConfig(os="windows", architecture="amd64")),
        ("linux/arm/v6", ImageConfig(architecture="arm", variant="v7")),
        ("linux/amd64", ImageConfig(architecture="")),
    ],
)
def test_a_configuration_that_does_not(wanted: str, config: ImageConfig) -> None:
    with pytest.raises(NotFound, match=f"not for {wanted}"):
        platforms.check_platform(parse_platform(wanted), config)
