# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every option about networks and names of the module container, as users write it: check, do, again, again
in check. Who and what runs stays the same where the option promises it.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.container.harbour import wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    check_do_again,
)
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

Options = dict[str, t.Any]

SERVE: Options = {
    "command": ["nc", "-ll", "-p", "80", "-e", "echo", "at your service"],
    "stop_timeout": 0,
}
ON_WEB: Options = {"networks": [{"name": "web"}]}


@pytest.fixture
def networked(target: Target) -> Target:
    """A target with two networks."""
    results = target.run(
        target.network(name="web", ipam_config=[{"subnet": "10.70.0.0/24"}, {"subnet": "fd70::/64"}]),
        target.network(name="db", ipam_config=[{"subnet": "10.71.0.0/24"}]),
    )
    assert all(result["changed"] for result in results)
    return target


def identity(result: Result) -> tuple[str, int]:
    return result["container"]["Id"], result["container"]["State"]["Pid"]


def test_who_names_no_network_is_on_the_default_bridge(target: Target, lan: Lan) -> None:
    planned, done = check_do_again(target, image=target.image, **SERVE, published_ports=["8080:80"])
    assert done["container"]["HostConfig"]["NetworkMode"] == "bridge"
    place = done["container"]["NetworkSettings"]["Networks"]["coracle"]
    assert place["IPAddress"]
    assert place["Gateway"]
    assert list(planned["container"]["NetworkSettings"]["Networks"]) == ["coracle"]
    wait_until(lambda: lan.probe("neighbour", "tcp", ADDRESSES["host"], 8080), lambda said: "service" in said)
    [same] = target.run(
        target.container(image=target.image, **SERVE, published_ports=["8080:80"], network_mode="default")
    )
    assert same["changed"] is False


LIVE: list[tuple[Options, str]] = [
    ({"networks": [{"name": "web"}, {"name": "db"}]}, "networks: db is new"),
    ({"networks": [{"name": "db"}]}, "networks: db is new, web is no longer wanted"),
    ({"network_mode": "db"}, "networks: db is new, web is no longer wanted"),
    (
        {"networks": [{"name": "web", "ipv4_address": "10.70.0.77", "ipv6_address": "fd70::77"}]},
        "networks: ipv4_address on web is not set, should be 10.70.0.77, "
        "ipv6_address on web is not set, should be fd70::77",
    ),
    (
        {"networks": [{"name": "web", "mac_address": "02:00:00:00:00:77"}]},
        "networks: mac_address on web is not set, should be 02:00:00:00:00:77",
    ),
    (
        {**ON_WEB, "mac_address": "02:00:00:00:00:77"},
        "networks: mac_address on web is not set, should be 02:00:00:00:00:77",
    ),
    (
        {"networks": [{"name": "web", "aliases": ["www"], "links": ["other:o"]}]},
        'networks: aliases on web is not set, should be ["www"], '
        'links on web is not set, should be [["other", "o"]]',
    ),
    (
        {**ON_WEB, "links": ["other:o"]},
        'networks: links on web is not set, should be [["other", "o"]]',
    ),
    (
        {"networks": [{"name": "web", "gw_priority": 7}]},
        "networks: gw_priority on web is not set, should be 7",
    ),
    (
        {"networks": [{"name": "web", "driver_opts": {"com.docker.network.endpoint.ifname": "lan0"}}]},
        'networks: driver_opts on web is not set, should be {"com.docker.network.endpoint.ifname": "lan0"}',
    ),
    ({**ON_WEB, "published_ports": ["8080:80"]}, "published_ports: 8080:80/tcp is new"),
    ({**ON_WEB, "exposed_ports": ["80"]}, "exposed_ports: 80/tcp is new"),
]


@pytest.mark.parametrize(("options", "reason"), LIVE)
def test_what_changes_while_it_runs(networked: Target, options: Options, reason: str) -> None:
    first = networked.make(**SERVE, **ON_WEB)
    planned, done = check_do_again(networked, image=networked.image, **SERVE, **options)
    assert done["actions"] == [f"update container web: {reason}"]
    assert identity(done) == identity(first)
    assert expected(planned) == expected(done)
    back, undone = check_do_again(networked, image=networked.image, **SERVE, **ON_WEB)
    assert identity(undone) == identity(first)
    assert expected(back) == expected(undone)


def expected(result: Result) -> Options:
    """What check mode can tell of a container's places: everything but what is yet to be chosen."""
    networks = result["container"]["NetworkSettings"]["Networks"]
    told = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority", "NetworkID", "DNSNames")
    return {
        "host": result["container"]["HostConfig"],
        "ports": result["container"]["NetworkSettings"]["Ports"],
        "networks": {name: {key: place[key] for key in told} for name, place in networks.items()},
    }


RECREATE: list[tuple[Options, str]] = [
    ({"network_mode": "host"}, "network_mode is web, should be host"),
    ({"network_mode": "none"}, "network_mode is web, should be none"),
    ({**ON_WEB, "domainname": "example.com"}, "domainname is not set, should be example.com"),
    ({**ON_WEB, "dns_servers": ["192.0.2.53"]}, 'dns_servers is [], should be ["192.0.2.53"]'),
    (
        {**ON_WEB, "dns_search_domains": ["example.com"]},
        'dns_search_domains is [], should be ["example.com"]',
    ),
    ({**ON_WEB, "dns_opts": ["ndots:2"]}, "dns_opts: ndots:2 is new"),
    ({**ON_WEB, "etc_hosts": {"up": "host-gateway"}}, "etc_hosts: up is new"),
    ({**ON_WEB, "sysctls": {"net.core.somaxconn": 99}}, "sysctls: net.core.somaxconn is new"),
]


@pytest.mark.parametrize(("options", "reason"), RECREATE)
def test_what_needs_another_container(networked: Target, options: Options, reason: str) -> None:
    first = networked.make(**SERVE, **ON_WEB)
    planned, done = check_do_again(networked, image=networked.image, **SERVE, **options)
    assert done["actions"] == [f"recreate container web: {reason}"]
    assert identity(done)[0] != identity(first)[0]
    assert expected(planned)["host"] == expected(done)["host"]


def test_ports_of_a_running_container_are_shown_and_reached(networked: Target, lan: Lan) -> None:
    first = networked.make(**SERVE, **ON_WEB)
    ports = {"published_ports": ["127.0.0.1::80", "192.0.2.10:8080:80"], "image": networked.image}
    planned, done = check_do_again(networked, **SERVE, **ON_WEB, **ports)
    assert identity(done) == identity(first)
    shown = done["container"]["NetworkSettings"]["Ports"]["80/tcp"]
    assert {binding["HostIp"] for binding in shown} == {"127.0.0.1", "192.0.2.10"}
    assert len(planned["container"]["NetworkSettings"]["Ports"]["80/tcp"]) == 2
    assert lan.probe("neighbour", "tcp", ADDRESSES["host"], 8080).startswith("open:at")
    [chosen] = [int(binding["HostPort"]) for binding in shown if binding["HostIp"] == "127.0.0.1"]
    assert lan.probe("host", "tcp", "127.0.0.1", chosen).startswith("open:at")
    assert lan.probe("neighbour", "tcp", ADDRESSES["host"], chosen) == "refused"


def test_without_image_only_what_is_given_changes(networked: Target) -> None:
    first = networked.make(**SERVE, **ON_WEB, published_ports=["8080:80"])
    _planned, done = check_do_again(networked, networks=[{"name": "db"}])
    assert identity(done) == identity(first)
    assert list(done["container"]["NetworkSettings"]["Networks"]) == ["db"]
    assert done["container"]["HostConfig"]["PortBindings"] != {}
    assert "that needs a new container" in networked.fails(network_mode="host")


def test_what_somebody_else_has_disconnected_is_connected_again(networked: Target) -> None:
    networked.make(**SERVE, networks=[{"name": "web"}, {"name": "db"}])
    [cut] = networked.run(networked.network(name="db", connected=[]))
    assert cut["changed"]
    _planned, done = check_do_again(
        networked, image=networked.image, **SERVE, networks=[{"name": "web"}, {"name": "db"}]
    )
    assert done["actions"] == ["update container web: networks: it is not connected to db"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"networks": [{"name": "nowhere"}]}, "there is no network nowhere"),
        ({"network_mode": "container:nobody"}, "network_mode: there is no container nobody"),
        ({"network_mode": "container:web"}, "network_mode names the container itself"),
        ({"network_mode": "host", "published_ports": ["80:80"]}, "published_ports has no meaning"),
        ({"networks": [{"name": "web", "ipv4_address": "10.70.0.1"}]}, "is the gateway"),
        ({**ON_WEB, "sysctls": {"vm.swappiness": 1}}, "is not a kernel parameter of a container"),
        ({**ON_WEB, "published_ports": ["eighty"]}, "is not a published port"),
    ],
)
def test_mistakes_leave_what_runs_alone(networked: Target, options: Options, problem: str) -> None:
    first = networked.make(**SERVE, **ON_WEB)
    assert problem in networked.fails(image=networked.image, **SERVE, **options)
    [seen] = networked.run(networked.info(name="web"))
    assert identity(seen) == identity(first)
    assert list(seen["container"]["NetworkSettings"]["Networks"]) == ["web"]


OBSTACLES: list[tuple[Options, str]] = [
    ({"networks": [{"name": "nowhere"}]}, "there is no network nowhere"),
    ({"network_mode": "container:nobody"}, "there is no container nobody"),
    ({**ON_WEB, "published_ports": ["8080:80"]}, "port 8080/tcp is taken by container other"),
    ({"networks": [{"name": "web", "ipv4_address": "10.70.0.77"}]}, "belongs to container other"),
    ({"networks": [{"name": "web", "ipv4_address": "10.70.0.1"}]}, "is the gateway"),
]


@pytest.mark.parametrize("there", [False, True], ids=["to create", "to replace"])
def test_check_mode_foresees_what_stands_in_the_way(networked: Target, there: bool) -> None:
    """A task before it may do away with it: a warning, where the real task fails with the same words."""
    networked.make(
        name="other",
        **SERVE,
        networks=[{"name": "web", "ipv4_address": "10.70.0.77"}],
        published_ports=["8080:80"],
    )
    if there:
        networked.make(**SERVE, **ON_WEB)
    tasks = [
        networked.container(image=networked.image, command=["sleep", "9"], check=check, **options)
        for options, _obstacle in OBSTACLES
        for check in (True, False)
    ]
    results = networked.run(*tasks)
    for (_options, obstacle), planned, done in zip(OBSTACLES, results[::2], results[1::2]):
        [warning] = planned["warnings"]
        assert (planned["changed"], obstacle in warning) == (True, True), planned
        assert warning.endswith("; the real task fails if that is still so")
        assert done["failed"], done
        assert obstacle in done["msg"]


def test_check_mode_sees_no_obstacle_in_itself(networked: Target) -> None:
    """What the container has already, and what it takes over from the one that it replaces."""
    options: Options = {
        **SERVE,
        "networks": [{"name": "web", "ipv4_address": "10.70.0.77", "mac_address": "02:00:00:00:00:77"}],
        "published_ports": ["8080:80"],
    }
    networked.make(**options)
    declared: Options = {"image": networked.image, **options}
    results = networked.run(
        networked.container(check=True, **{**declared, "env": {"A": "1"}}),
        networked.container(check=True, **{**declared, "published_ports": ["8080:80", "8081:80"]}),
        networked.container(check=True, image=networked.image, name="third", published_ports=["9:9"]),
    )
    assert [(result["changed"], result.get("warnings", [])) for result in results] == [(True, [])] * 3
