# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the options of `image` mean, and what is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.image_options import (
    IMAGE,
    read_image_request,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import host_platform
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.image import ImageRequest

HEX = "a" * 64


def read(**options: t.Any) -> ImageRequest:
    params = {name: option.get("default") for name, option in IMAGE.options.items()}
    return read_image_request({**params, **options}, None)


def rootfs(**options: t.Any) -> t.Any:
    return read(name="x", source="rootfs", path="/x.tar", **options).config


def test_the_shortest_task() -> None:
    request = read(name="nginx")
    assert request == ImageRequest(parse_reference("nginx"), registry=None)
    assert request.names == (parse_reference("nginx"),)


@pytest.mark.parametrize("text", [HEX, f"sha256:{HEX}"])
def test_an_id_is_no_name(text: str) -> None:
    request = read(name=text, tags=["x:1"])
    assert request.name == f"sha256:{HEX}"
    assert request.names == (parse_reference("x:1"),)


def test_a_name_that_is_given_twice_counts_once() -> None:
    request = read(name="x", tags=["docker.io/library/x:latest", "y", "y:latest"])
    assert request.names == (parse_reference("x"), parse_reference("y"))


@pytest.mark.parametrize(
    ("given", "normal"), [("amd64", "linux/amd64"), ("linux/aarch64/v8", "linux/arm64"), (None, None)]
)
def test_platforms_have_one_spelling(given: str | None, normal: str | None) -> None:
    assert read(name="x", platform=given).platform == normal


def test_what_an_image_of_a_root_file_system_says() -> None:
    config = rootfs(
        cmd="httpd -f 'a b'",
        entrypoint=["/bin/env"],
        env={"B": "2", "A": "1=1"},
        labels={"n": 1},
        user="0005:app",
        working_dir="/www//x/",
        exposed_ports=["443", "53/udp", "80/TCP", "79-80"],
        volumes=["/b/", "/a", "/b"],
        stop_signal="quit",
        platform="arm",
    )
    assert (config.cmd, config.entrypoint) == (["httpd", "-f", "a b"], ["/bin/env"])
    assert (config.env, config.labels) == (["A=1=1", "B=2"], {"n": "1"})
    assert (config.user, config.working_dir) == ("5:app", "/www/x")
    assert config.exposed_ports == ["53/udp", "79/tcp", "80/tcp", "443/tcp"]
    assert (config.volumes, config.stop_signal) == (["/a", "/b"], "SIGQUIT")
    assert (config.architecture, config.variant) == ("arm", "v7")


def test_an_image_of_a_root_file_system_is_for_this_host_unless_told_otherwise() -> None:
    assert rootfs().architecture == host_platform().architecture


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cmd": "'"}, "cmd"),
        ({"env": {"A": 1}}, "env: the value of A is a number, not a string"),
        ({"env": {"A=": "1"}}, "env"),
        ({"labels": {"a": True}}, "labels"),
        ({"user": "a:b:c"}, "user"),
        ({"working_dir": "www"}, "working_dir"),
        ({"working_dir": "/proc/self"}, "working_dir"),
        ({"exposed_ports": ["0"]}, "exposed_ports: '0' is not a port"),
        ({"exposed_ports": ["90-80"]}, "exposed_ports"),
        ({"exposed_ports": ["65536"]}, "exposed_ports"),
        ({"exposed_ports": ["80/icmp"]}, "exposed_ports"),
        ({"exposed_ports": ["http"]}, "exposed_ports"),
        ({"volumes": ["data"]}, "volumes"),
        ({"volumes": ["/a/../b"]}, "volumes"),
        ({"stop_signal": "SIGFOO"}, "stop_signal"),
        ({"platform": "linux/a/b/c"}, "platform"),
    ],
)
def test_errors_name_the_option(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        rootfs(**options)


@pytest.mark.parametrize("source", ["registry", "archive"])
def test_only_a_root_file_system_needs_to_be_told_what_it_is(source: str) -> None:
    with pytest.raises(InvalidInput, match="cmd, env cannot be given: the image says it itself"):
        read(name="x", source=source, path="/x", cmd="a", env={"A": "1"})


def test_a_task_that_removes_may_keep_its_whole_description() -> None:
    request = read(name="x", state="absent", source="rootfs", path="/x", cmd="'", env={"A": 1})
    assert request.config is None


def test_errors_in_tags_say_so() -> None:
    with pytest.raises(InvalidInput, match=r"^tags: "):
        read(name="x", tags=["UPPER"])
