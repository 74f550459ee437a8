# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What `run` is told reaches the container as the module would have it."""

from __future__ import annotations

import argparse
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command import (
    container_texts,
    main,
    names_for_boats,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.container_options import (
    OPTIONS,
    given_options,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.words import find_word
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.values import (
    parse_container_name,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import FIELDS
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.differences import LIVE

SAID_OTHERWISE = {
    "command": "after the image",
    "env": "--env, --env-file",
    "labels": "--label, --label-file",
    "network_mode": "--network",
    "networks": "--network, --network-alias, --ip, --ip6, --link",
    "networks_cli_compatible": "the command is",
    "links": "--link, which is of the first network",
    "restart_retries": "--restart on-failure:3",
    "default_host_ip": "--publish says the address",
    "healthcheck": "--health-cmd, --health-interval and so on, --no-healthcheck",
}


def parsed(*words: str, word: str = "run") -> argparse.Namespace:
    found = find_word(word)
    assert found is not None
    return main.parser_of(found)[0].parse([*words, "image"])


def test_every_option_of_the_module_can_be_said() -> None:
    assert {option.field for option in OPTIONS} | set(SAID_OTHERWISE) == {field.name for field in FIELDS}
    assert not {option.field for option in OPTIONS} & set(SAID_OTHERWISE)


def test_update_offers_what_needs_no_new_container() -> None:
    parser = main.parser_of(t.cast(t.Any, find_word("update")))[0]
    offered = {action.dest for action in parser.options}
    live = {field.name for field in FIELDS if field.change == LIVE}
    assert {option.dest for option in OPTIONS if option.field in live} <= offered
    assert not {option.dest for option in OPTIONS if option.field not in live} & offered


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["-it"], {"tty": True, "interactive": True}),
        (["-p", "8080:80", "-p", "53:53/udp"], {"published_ports": ["8080:80", "53:53/udp"]}),
        (["--entrypoint", "/bin/sh -c"], {"entrypoint": ["/bin/sh -c"]}),
        (["--entrypoint", ""], {"entrypoint": [""]}),
        (["--add-host", "a:1.2.3.4", "--add-host", "b=[::1]"], {"etc_hosts": {"a": "1.2.3.4", "b": "::1"}}),
        (["--sysctl", "net.core.somaxconn=1"], {"sysctls": {"net.core.somaxconn": "1"}}),
        (["--device-read-bps", "/dev/sda:1mb"], {"device_read_bps": [{"path": "/dev/sda", "rate": "1mb"}]}),
        (["-v", "/a:/b:ro", "-v", "data:/c"], {"volumes": ["/a:/b:ro", "data:/c"]}),
        (["-v", "./a:/b"], {"volumes": [f"{os.getcwd()}/a:/b"]}),
        (["--requires", "db, cache", "--requires", "mq"], {"requires": ["db", "cache", "mq"]}),
        (["--log-opt", "max-size=1m"], {"log_options": {"max-size": "1m"}}),
        (
            ["--secret", "id=x,src=./x,mode=0400"],
            {"secrets": [{"name": "x", "path": f"{os.getcwd()}/x", "mode": "0400"}]},
        ),
        (["--memory-swap", "-1"], {"memory_swap": "-1"}),
        (
            ["--mount", 'type=bind,src=/a,"dst=/b,c",readonly'],
            {"mounts": [{"type": "bind", "source": "/a", "target": "/b,c", "read_only": True}]},
        ),
        (
            ["--mount", "source=d,target=/d,volume-label=x=y,volume-nocopy=false"],
            {"mounts": [{"source": "d", "target": "/d", "labels": {"x": "y"}, "no_copy": False}]},
        ),
    ],
)
def test_options(words: list[str], given: dict[str, t.Any]) -> None:
    assert given_options(parsed(*words)) == given


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["--network", "none"], {"network_mode": "none"}),
        (["--net=host"], {"network_mode": "host"}),
        (["--network", "container:db"], {"network_mode": "container:db"}),
        (["--network", "front"], {"networks": [{"name": "front"}]}),
        (["--network", "bridge", "--network", "back"], {"networks": [{"name": "coracle"}, {"name": "back"}]}),
        (
            ["--network", "front", "--network-alias", "web", "--ip", "10.0.0.7", "--link", "db:d"],
            {
                "networks": [
                    {"name": "front", "aliases": ["web"], "ipv4_address": "10.0.0.7", "links": ["db:d"]}
                ]
            },
        ),
        (
            ["--network", "name=front,alias=a,alias=b,ip6=fd00::7,driver-opt=x=y"],
            {
                "networks": [
                    {
                        "name": "front",
                        "aliases": ["a", "b"],
                        "ipv6_address": "fd00::7",
                        "driver_opts": {"x": "y"},
                    }
                ]
            },
        ),
        (["-l", "a=b", "-l", "c"], {"labels": {"a": "b", "c": ""}}),
    ],
)
def test_networks_and_labels(words: list[str], given: dict[str, t.Any]) -> None:
    assert container_texts.given_texts(parsed(*words)) == given


def test_the_environment(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("\ufeff# comment\n\nA=1\r\nHERE\nNOT_HERE\nQUOTED='x'\n")
    monkeypatch.setenv("HERE", "yes")
    monkeypatch.delenv("NOT_HERE", raising=False)
    options = parsed("--env-file", str(file), "-e", "A=2", "-e", "B=", "-e", "NOT_HERE")
    assert container_texts.given_texts(options)["env"] == {"A": "2", "HERE": "yes", "QUOTED": "'x'", "B": ""}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--add-host", "nothing"], "--add-host: 'nothing' is not host:ip"),
        (["--requires", "a,"], "--requires: a name is missing"),
        (["--secret", "name=x,value=hunter2"], "--secret: unexpected key 'value' (known: dst, env, gid"),
        (["--sysctl", "x"], "--sysctl: 'x' is not name=value"),
        (["--device-read-bps", "x"], "--device-read-bps: 'x' is not path:rate"),
        (["--mount", "type=bind,colour=red"], "--mount: unexpected key 'colour'"),
        (["--mount", "readonly=perhaps"], "'perhaps' is neither true nor false"),
        (["--network", "name=a,colour=red"], "--network: invalid field key colour"),
    ],
)
def test_texts_that_say_nothing(words: list[str], complaint: str) -> None:
    options = parsed(*words)
    with pytest.raises(InvalidInput) as caught:
        {**given_options(options), **container_texts.given_texts(options)}
    assert complaint in str(caught.value)


def test_names_are_names() -> None:
    for attempt in range(200):
        name = names_for_boats.choose_name(attempt % 2)
        assert parse_container_name(name, "name") == name
