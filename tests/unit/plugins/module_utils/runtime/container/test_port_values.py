# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_default_host_ip,
    parse_exposed_ports,
    parse_published_ports,
    wanted_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


def port(
    host_ip: str, host_port: int, container_port: int, protocol: str = "tcp", end: int = 0
) -> dict[str, t.Any]:
    return {
        "host_ip": host_ip,
        "host_port": host_port,
        "host_port_end": end or host_port,
        "container_port": container_port,
        "protocol": protocol,
    }


PUBLISHED: list[tuple[list[t.Any], list[dict[str, t.Any]]]] = [
    ([["80"], [80], ["0:80"], [":80"], ["::80"], [" 80/TCP "], "80"], [port("", 0, 80)]),
    ([["8080:80"], ["8080:80/tcp"], [":8080:80"], ["8080:80", "8080:80/TCP"]], [port("", 8080, 80)]),
    ([["0.0.0.0:8080:80"], ["0.0.0.0:8080:80/tcp"]], [port("0.0.0.0", 8080, 80)]),
    ([["127.0.0.1::80"]], [port("127.0.0.1", 0, 80)]),
    ([["[::]:53:53/udp"], ["[0::0]:53:53/UDP"]], [port("::", 53, 53, "udp")]),
    ([["[2001:DB8::0:1]::443/sctp"]], [port("2001:db8::1", 0, 443, "sctp")]),
    ([["8000-8010:80"]], [port("", 8000, 80, end=8010)]),
    ([["8000-8001:80-81"], ["8001:81", "8000:80"]], [port("", 8000, 80), port("", 8001, 81)]),
    ([["80-81"], ["81", "80"]], [port("", 0, 80), port("", 0, 81)]),
    ([["53:53/udp", "53:53/tcp"]], [port("", 53, 53, "tcp"), port("", 53, 53, "udp")]),
    ([[]], []),
]


@pytest.mark.parametrize(("spellings", "normal"), PUBLISHED)
def test_published_ports(spellings: list[t.Any], normal: list[dict[str, t.Any]]) -> None:
    for value in spellings:
        assert parse_published_ports(value, "published_ports") == normal
    assert parse_published_ports(normal, "published_ports") == normal


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a published port"),
        ("80:", "is not a published port"),
        ("web:80:80", "is not a published port"),
        ("::1:80:80", "is not a published port"),
        ("[::1]80", "is not a published port"),
        ("1.2.3.4:1:2:3", "is not a published port"),
        ("80/tcp/udp", "is not a published port"),
        ("80/tcp ; flush ruleset", "is not a published port"),
        ('80"', "is not a published port"),
        ("1.2.3.4.5:80:80", "no IP address"),
        ("[::1%eth0]:80:80", "is not a published port"),
        ("[::ffff:1.2.3.4]:80:80", "no port can be published on"),
        ("224.0.0.1:80:80", "no port can be published on"),
        ("80:0", "not between 1 and 65535"),
        ("65536:80", "not between 1 and 65535"),
        ("1:99999999999999999999", "not between 1 and 65535"),
        ("90-80:80", "ends before it begins"),
        ("-90:80", "without a beginning"),
        ("80-82:80-81", "different length"),
        ("80/icmp", "unknown protocol icmp"),
        ("80\n", "control characters"),
        ("\uff18\uff10:80", "is not a published port"),
        (None, "not text"),
        (True, "not text"),
    ],
)
def test_what_is_no_published_port(text: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        parse_published_ports([text], "published_ports")
    assert str(caught.value).startswith("published_ports: ")


def test_exposed_ports() -> None:
    assert parse_exposed_ports(["8080-8081", 80, "80/tcp", "53/UDP"], "exposed_ports") == [
        "53/udp",
        "80/tcp",
        "8080/tcp",
        "8081/tcp",
    ]
    assert parse_exposed_ports(parse_exposed_ports(["1-3/sctp"], "x"), "x") == ["1/sctp", "2/sctp", "3/sctp"]


@pytest.mark.parametrize("text", ["", "80:80", "80/icmp", "0", "70000", "a", "2-1"])
def test_what_is_no_exposed_port(text: str) -> None:
    with pytest.raises(InvalidInput, match="exposed_ports: "):
        parse_exposed_ports([text], "exposed_ports")


def test_default_host_ip() -> None:
    texts = ["", "0.0.0.0", "127.0.0.1", "[::1]", "::1"]
    addresses = [parse_default_host_ip(text, "default_host_ip") for text in texts]
    assert addresses == ["", "0.0.0.0", "127.0.0.1", "::1", "::1"]
    with pytest.raises(InvalidInput, match="default_host_ip: "):
        parse_default_host_ip("localhost", "default_host_ip")


def config(**fields: t.Any) -> t.Any:
    names = ("published_ports", "exposed_ports", "publish_all_ports", "default_host_ip")
    return types.SimpleNamespace(**{**dict.fromkeys(names), **fields})


def test_nothing_is_wanted() -> None:
    assert wanted_ports(config(exposed_ports=["80/tcp"]), ["443/tcp"]) == []


def test_the_default_address_is_for_ports_that_name_none() -> None:
    published = parse_published_ports(["80:80", "0.0.0.0:81:81"], "published_ports")
    assert wanted_ports(config(published_ports=published, default_host_ip="127.0.0.1")) == [
        port("127.0.0.1", 80, 80),
        port("0.0.0.0", 81, 81),
    ]


def test_exposed_ports_are_published_if_all_shall_be() -> None:
    published = parse_published_ports(["8080:80", "53:53/tcp"], "published_ports")
    wanted = wanted_ports(
        config(published_ports=published, exposed_ports=["53/udp"], publish_all_ports=True), ["80", "443/tcp"]
    )
    assert wanted == [port("", 53, 53), port("", 0, 53, "udp"), port("", 8080, 80), port("", 0, 443)]
