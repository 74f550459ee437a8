# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The option table: complete, and true to what its rows promise."""

from __future__ import annotations

import dataclasses
import pathlib
import runpy
import typing as t

import pytest
import yaml

from ansible_collections.coracle.engine.plugins.module_utils.module.container_options import (
    CONTROL,
    DESCRIPTION,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile import container_fields
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    FIELDS,
    described,
    differences,
)

PLUGINS = pathlib.Path(__file__).parents[6] / "plugins"
CHOOSE_AN_IMAGE = {"image", "platform"}


FRAGMENTS = ("_container_options", "_container_storage", "_container_limits", "_container_networking")


def documented(fragment: str) -> set[str]:
    scope = runpy.run_path(str(PLUGINS / "doc_fragments" / f"{fragment}.py"))
    return set(yaml.safe_load(scope["ModuleDocFragment"].DOCUMENTATION)["options"])


def test_rows_are_fields_are_options_are_documented() -> None:
    rows = {field.name for field in FIELDS}
    assert rows | CHOOSE_AN_IMAGE == {field.name for field in dataclasses.fields(ContainerConfig)}
    assert rows | CHOOSE_AN_IMAGE | {"env_file"} == set(DESCRIPTION.options)
    assert set(DESCRIPTION.options) == set().union(*map(documented, FRAGMENTS))
    assert len(rows) == len(FIELDS)


def test_control_options_describe_nothing() -> None:
    assert not set(CONTROL.options) & set(DESCRIPTION.options)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_row_has_its_parser(field: container_fields.Field) -> None:
    assert callable(container_fields._parser(field.parser))


VALUES: dict[str, tuple[t.Any, t.Any, t.Any]] = {
    # option: (one way to write it, another way to write the same, something else)
    "command": ("sh -c 'sleep 1'", ["sh", "-c", "sleep 1"], ["sh", "-c", "sleep  1"]),
    "entrypoint": (["/bin/sh"], ["/bin/sh"], []),
    "env": ({"A": "1", "B": "2"}, {"B": "2", "A": "1"}, {"A": "1"}),
    "labels": ({"a": 1}, {"a": "1"}, {"a": "2"}),
    "working_dir": ("/srv//www/", "/srv/www", "/srv"),
    "user": ("0100:users", "100:users", "100"),
    "groups": (["b", "a"], ["a", "b", "b"], ["a"]),
    "hostname": ("web", "web", "web2"),
    "tty": (True, True, False),
    "interactive": (True, True, False),
    "init": (True, True, False),
    "stop_signal": ("term", "15", "SIGINT"),
    "stop_timeout": (60, "1m", 61),
    "volumes": (["/srv/:/data/", "v:/x:ro"], ["v:/x:ro", "/srv:/data:rw"], ["/srv:/data:ro", "v:/x:ro"]),
    "mounts": (
        [{"target": "/data", "source": "v", "read_only": True}, {"type": "tmpfs", "target": "/run"}],
        [{"type": "tmpfs", "target": "/run/"}, {"target": "/data/", "source": "v", "read_only": True}],
        [{"target": "/data", "source": "v"}],
    ),
    "volumes_from": (["a", "b:ro"], ["a:rw", "b:ro", "a"], ["b:ro", "a"]),
    "tmpfs": (["/run:size=1m"], ["/run/:size=1024k"], ["/run:size=2m"]),
    "read_only": (True, True, False),
    "shm_size": ("1g", "1024m", "2g"),
    "memory": ("1g", "1024m", "1025m"),
    "memory_swap": ("-1", "unlimited", "2g"),
    "memory_reservation": ("64m", "65536k", "65m"),
    "cpus": (1.5, "1.50", 2),
    "cpu_period": (50000, "50000", 60000),
    "cpu_quota": (50000, "50000", 60000),
    "cpu_shares": (512, "512", 1024),
    "cpuset_cpus": ("0-1,3", "3,0,1", "0-3"),
    "cpuset_mems": ("0", "0-0", "1"),
    "pids_limit": (0, -1, 100),
    "memory_swappiness": (10, "10", 0),
    "oom_killer": (True, True, False),
    "blkio_weight": (100, "100", 200),
    "device_read_bps": (
        [{"path": "/dev/sdb", "rate": "1m"}, {"path": "/dev/sda", "rate": 5}],
        [{"path": "/dev//sda", "rate": "5"}, {"path": "/dev/sdb", "rate": "1024k"}],
        [{"path": "/dev/sda", "rate": 5}],
    ),
    "device_write_bps": (
        [{"path": "/dev/sda", "rate": "1m"}],
        [{"path": "/dev/sda", "rate": 1048576}],
        [{"path": "/dev/sda", "rate": "2m"}],
    ),
    "device_read_iops": ([{"path": "/dev/sda", "rate": 5}], [{"path": "/dev/sda", "rate": "5"}], []),
    "device_write_iops": (
        [{"path": "/dev/sda", "rate": 5}],
        [{"path": "/dev/sda", "rate": "5"}],
        [{"path": "/dev/sdb", "rate": 5}],
    ),
    "ulimits": (["nofile:1024:2048", "core=0"], ["core:0:0", "nofile=1024:2048"], ["core:0"]),
    "oom_score_adj": (100, "100", 200),
    "capabilities": (["net_admin", "SYS_TIME"], ["CAP_SYS_TIME", "NET_ADMIN"], ["NET_ADMIN"]),
    "cap_drop": (["all"], ["ALL", "CHOWN"], ["CHOWN"]),
    "privileged": (True, True, False),
    "security_opts": (["no-new-privileges:true"], ["no-new-privileges"], ["seccomp=unconfined"]),
    "devices": (["/dev/fuse"], ["/dev/fuse:/dev/fuse:mwr"], ["/dev/fuse:/dev/fuse:r"]),
    "device_requests": (
        [{"driver": "nvidia", "count": 2, "capabilities": [["gpu", "compute"]]}],
        [{"device_ids": ["1", "nvidia.com/gpu=0"]}, {"driver": "cdi", "device_ids": ["nvidia.com/gpu=1"]}],
        [{"count": -1}],
    ),
    "device_cgroup_rules": (["c 189:* rmw", "a *:* r"], [" c  189:*  rwm", "a *:* r"], ["c 189:1 rwm"]),
    "umask": ("0027", 0o27, "077"),
    "annotations": ({"a": 1}, {"a": "1"}, {"a": "2"}),
    "cgroup_parent": ("/batch/night", "batch//night/", "/batch"),
    "cgroupns_mode": ("private", "private", "host"),
    "ipc_mode": ("container:db", "container:db", "shareable"),
    "pid_mode": ("host", "host", "container:db"),
    "uts": ("host", "host", ""),
    "timezone": ("Europe/Berlin", "Europe/Berlin", "local"),
    "healthcheck": (
        {"test": "wget -q localhost", "interval": "1m", "retries": 2},
        {"test": ["CMD-SHELL", "wget -q localhost"], "interval": "60s", "retries": "2", "timeout": "0s"},
        {"test": ["wget", "-q", "localhost"], "interval": "1m", "retries": 2},
    ),
    "network_mode": ("host", "host", "container:web"),
    "networks": (
        [{"name": "web", "aliases": ["b", "A"], "ipv4_address": "192.0.2.5"}, {"name": "db"}],
        [{"name": "web", "aliases": ["a", "b"], "ipv4_address": "192.0.2.5"}, {"name": "db", "links": []}],
        [{"name": "web", "aliases": ["a", "b"], "ipv4_address": "192.0.2.6"}, {"name": "db"}],
    ),
    "networks_cli_compatible": (False, False, True),
    "mac_address": ("02:42:AC:11:00:02", "0242.ac11.0002", "02:42:ac:11:00:03"),
    "links": (["db:store", "cache"], ["cache:cache", "db:store"], ["db:store"]),
    "published_ports": (["8080:80", "[::1]:53:53/udp"], ["[0::1]:53:53/UDP", "8080:80/tcp"], ["8080:80"]),
    "publish_all_ports": (True, True, False),
    "exposed_ports": (["80", "53/udp"], ["53/udp", "80/tcp", "80"], ["80"]),
    "default_host_ip": ("::1", "[::1]", "127.0.0.1"),
    "domainname": ("example.com", "example.com.", "example.org"),
    "dns_servers": (["2001:DB8::1", "192.0.2.1"], ["2001:db8::0:1", "192.0.2.1"], ["192.0.2.1"]),
    "dns_search_domains": (["Example.com"], ["example.com."], ["."]),
    "dns_opts": (["ndots:2", "rotate"], ["rotate", "ndots:2"], ["rotate"]),
    "etc_hosts": (
        {"DB": "192.0.2.9", "up": "host-gateway"},
        {"up": "host-gateway", "db": "192.0.2.9"},
        {"db": "192.0.2.9"},
    ),
    "sysctls": (
        {"net.core.somaxconn": 1024, "kernel.sem": "1  2 3 4"},
        {"kernel.sem": "1 2 3 4", "net.core.somaxconn": "1024"},
        {"net.core.somaxconn": 128},
    ),
    "runtime": ("runc", "runc", "/opt/runc"),
    "log_driver": ("none", "none", "json-file"),
    "log_options": (
        {"max-size": "2048k", "max-file": 5},
        {"max-size": "2m", "max-file": "5"},
        {"max-size": "-1", "max-file": 3},
    ),
    "requires": (["b", "a"], ["a", "b", "a"], ["a"]),
    "sdnotify": ("container", "container", "conmon"),
    "secrets": (
        [{"name": "b", "value": "x"}, {"name": "a", "value": "y", "env": "A"}],
        [
            {"name": "a", "content": "eQ==", "env": "A"},
            {"name": "b", "content": "eA==", "target": "/run/secrets//b", "uid": "0", "mode": "444"},
        ],
        [{"name": "b", "value": "z"}, {"name": "a", "value": "y", "env": "A"}],
    ),
    "restart_policy": ("on-failure:3", "on-failure:3", "always"),
    "restart_retries": (3, "3", 4),
    "auto_remove": (True, True, False),
}


ALONG: dict[str, dict[str, t.Any]] = {
    "networks_cli_compatible": {"networks": [{"name": "web"}]},
    "mac_address": {"network_mode": "web"},
    "links": {"network_mode": "web"},
}
"""What an option needs to mean anything."""

TOLD_AS = {"networks_cli_compatible": "networks", "mac_address": "networks", "links": "networks"}


def test_every_row_is_tried() -> None:
    assert set(VALUES) == {field.name for field in FIELDS}


@pytest.mark.parametrize("option", VALUES)
def test_options_compare_by_value(option: str) -> None:
    along = ALONG.get(option, {})
    one, same, other = (described({option: value, **along}) for value in VALUES[option])
    assert differences(one, same) == []
    told = TOLD_AS.get(option, option)
    assert told in [difference.field for difference in differences(one, other)]


@pytest.mark.parametrize("option", VALUES)
def test_what_is_no_longer_asked_is_a_difference(option: str) -> None:
    along = ALONG.get(option, {})
    then = described({option: VALUES[option][0], **along})
    found = differences(then, described(along))
    assert [difference.field for difference in found][:1] == [TOLD_AS.get(option, option)]


@pytest.mark.parametrize("option", VALUES)
def test_a_stored_description_is_the_one_that_was_asked(option: str) -> None:
    asked = described({option: VALUES[option][0]})
    assert differences(ContainerConfig.from_json(asked.to_json()), asked) == []


def test_times_of_a_health_check_have_units() -> None:
    then = described({"healthcheck": {"test": "true", "interval": "30s"}})
    [difference] = differences(then, described({"healthcheck": {"test": "true", "interval": "90s"}}))
    assert difference.before == {"test": ["CMD-SHELL", "true"], "interval": "30s"}
    assert '"interval": "1m30s"' in difference.describe()


def test_storage_may_be_written_in_another_option() -> None:
    one = described({"volumes": ["/srv:/a:ro", "v:/b", "/c"], "tmpfs": ["/d:size=1m", "/e"]})
    other = described(
        {
            "mounts": [
                {"target": "/a", "type": "bind", "source": "/srv", "read_only": True},
                {"target": "/b", "source": "v", "labels": {"a": "b"}},
                {"target": "/c"},
                {"target": "/d", "type": "tmpfs", "tmpfs_size": "1024k"},
            ],
            "volumes": [],
            "tmpfs": ["/e"],
        }
    )
    assert differences(one, other) == differences(other, one) == []
    assert differences(one, other, {"mounts"}) == []


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        ({"type": "bind", "source": "/srv"}, "mounts: /srv:/a is new, /srv:/a:ro is no longer wanted"),
        ({"type": "image", "source": "app:1"}, "mounts: image app:1:/a is new"),
        ({"source": "v", "subpath": "x"}, "mounts: v:/a:subpath=x is new"),
        (
            {"volume_options": {"type": "cifs", "device": "//n/x", "o": "password=hunter2"}},
            "mounts: /a:type=cifs,device=//n/x,o=password=(hidden) is new",
        ),
        ({"type": "tmpfs", "tmpfs_size": "1m"}, "mounts: tmpfs /a:size=1048576 is new"),
    ],
)
def test_a_mount_that_has_changed(mount: dict[str, t.Any], reason: str) -> None:
    then = described({"volumes": ["/srv:/a:ro"]})
    found = differences(then, described({"mounts": [{"target": "/a", **mount}]}))
    assert reason in "; ".join(difference.describe() for difference in found)
    assert differences(then, described({"mounts": [{"target": "/a", **mount}]}), {"mounts"}) != []


def test_another_password_is_a_difference_that_is_not_shown() -> None:
    one, other = (
        described(
            {"mounts": [{"target": "/a", "volume_options": {"type": "cifs", "device": "//n/x", "o": text}}]}
        )
        for text in ("password=hunter2", "password=hunter3")
    )
    [found] = differences(one, other)
    assert found.describe() == "mounts: a password is another one"
    assert "hunter" not in str(found)


def test_what_only_matters_when_a_volume_is_made_is_no_difference() -> None:
    one = described({"mounts": [{"target": "/a", "type": "bind", "source": "/srv"}]})
    other = described(
        {"mounts": [{"target": "/a", "type": "bind", "source": "/srv", "create_mountpoint": True}]}
    )
    assert differences(one, other) == []


SAME_CONNECTIONS: list[tuple[dict[str, t.Any], dict[str, t.Any]]] = [
    ({"network_mode": "default"}, {"network_mode": "bridge"}),
    ({"network_mode": "coracle"}, {"networks": [{"name": "bridge"}]}),
    ({"network_mode": "web"}, {"networks": [{"name": "web"}]}),
    ({"network_mode": "host"}, {"networks": [{"name": "host"}]}),
    ({"networks": []}, {}),
    ({"network_mode": "web", "networks": [{"name": "db"}]}, {"networks": [{"name": "web"}, {"name": "db"}]}),
    (
        {"networks": [{"name": "web"}, {"name": "a"}, {"name": "b"}]},
        {"networks": [{"name": "web"}, {"name": "b"}, {"name": "a"}]},
    ),
    (
        {"network_mode": "web", "mac_address": "02:00:00:00:00:01"},
        {"networks": [{"name": "web", "mac_address": "02-00-00-00-00-01"}]},
    ),
    (
        {"network_mode": "bridge", "networks": [{"name": "web"}]},
        {
            "networks": [{"name": "coracle"}, {"name": "web", "gw_priority": 0, "driver_opts": {}}],
            "networks_cli_compatible": True,
        },
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME_CONNECTIONS)
def test_a_connection_may_be_written_in_another_option(
    one: dict[str, t.Any], other: dict[str, t.Any]
) -> None:
    assert differences(described(one), described(other)) == []


WEB = {"networks": [{"name": "web", "ipv4_address": "192.0.2.5"}, {"name": "db"}]}


@pytest.mark.parametrize(
    ("now", "how", "reason"),
    [
        (
            {"networks": [{"name": "web"}, {"name": "db"}]},
            "live",
            "networks: ipv4_address on web is 192.0.2.5, should be not set",
        ),
        (
            {"networks": [{"name": "web", "ipv4_address": "192.0.2.5"}, {"name": "mail"}]},
            "live",
            "networks: mail is new, db is no longer wanted",
        ),
        (
            {"networks": [{"name": "db"}, {"name": "web", "ipv4_address": "192.0.2.5"}]},
            "live",
            "network_mode is web, should be db",
        ),
        ({"network_mode": "host"}, "recreate", "network_mode is web, should be host"),
        ({"network_mode": "ns:/run/netns/x"}, "recreate", "network_mode is web, should be ns:/run/netns/x"),
    ],
)
def test_another_connection(now: dict[str, t.Any], how: str, reason: str) -> None:
    [found] = differences(described(WEB), described(now))
    assert (found.how, found.describe()) == (how, reason)


@pytest.mark.parametrize(
    ("port", "text"),
    [
        ("80", "80/tcp"),
        ("0.0.0.0::53/udp", "0.0.0.0::53/udp"),
        ("8000-8009:80", "8000-8009:80/tcp"),
        ("[::1]:8080:80", "[::1]:8080:80/tcp"),
        ("9-10:9-10", "9:9/tcp is new, 10:10/tcp"),
    ],
)
def test_ports_are_told_as_people_write_them(port: str, text: str) -> None:
    [found] = differences(ContainerConfig(), described({"published_ports": [port]}))
    assert (found.how, found.describe()) == ("live", f"published_ports: {text} is new")


def test_connections_that_a_task_says_nothing_about_stay() -> None:
    then = described({"network_mode": "web", "networks": [{"name": "db"}]})
    [found] = differences(then, described({"networks": [{"name": "mail"}]}), {"networks"})
    assert found.describe() == "networks: mail is new, db is no longer wanted"
    assert differences(then, described({"network_mode": "web"}), {"network_mode"}) == []


def test_a_default_that_is_written_out_is_no_difference() -> None:
    defaults = {
        "env": {},
        "labels": {},
        "groups": [],
        "tty": False,
        "stop_timeout": "10s",
        "volumes": [],
        "mounts": [],
        "volumes_from": [],
        "tmpfs": [],
        "shm_size": "64m",
        "memory": "0",
        "memory_swap": "0",
        "cpus": 0,
        "cpu_shares": 0,
        "pids_limit": 2048,
        "oom_score_adj": 0,
        "cap_drop": [],
        "privileged": False,
        "network_mode": container_fields.DEFAULT_NETWORK_MODE,
        "networks": [],
        "networks_cli_compatible": True,
        "published_ports": [],
        "publish_all_ports": False,
        "default_host_ip": "",
        "domainname": "",
        "dns_opts": [],
        "sysctls": {},
        "runtime": "crun",
        "restart_policy": "no",
        "restart_retries": 0,
        "command": [],
    }
    assert differences(ContainerConfig(), described(defaults)) == []


def test_defaults_are_those_that_run() -> None:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import (
        attachments,
        effective,
        spec_mounts,
        spec_resources,
    )

    defaults = {field.name: field.default for field in FIELDS}
    assert defaults["stop_timeout"] == effective.DEFAULT_STOP_TIMEOUT
    assert defaults["network_mode"] == attachments.DEFAULT_NETWORK_MODE
    assert defaults["pids_limit"] == spec_resources.DEFAULT_PIDS_LIMIT
    assert defaults["shm_size"] == spec_mounts.DEFAULT_SHM_SIZE


def test_only_rows_that_are_asked_about() -> None:
    then, now = described({"memory": "1g", "user": "a"}), described({"memory": "2g", "user": "b"})
    assert [difference.field for difference in differences(then, now, {"user"})] == ["user"]


@pytest.mark.parametrize(
    ("policy", "retries", "expected"),
    [
        ("on-failure:3", None, ("on-failure", 3)),
        ("on-failure", 3, ("on-failure", 3)),
        ("on-failure:3", 3, ("on-failure", 3)),
        (False, None, ("no", None)),
        ("False", None, ("no", None)),
        (None, 3, (None, 3)),
    ],
)
def test_restart_policy_takes_its_retries_along(policy: t.Any, retries: t.Any, expected: t.Any) -> None:
    config = described({"restart_policy": policy, "restart_retries": retries})
    assert (config.restart_policy, config.restart_retries) == expected


def test_restart_retries_said_twice_and_not_the_same() -> None:
    with pytest.raises(InvalidInput, match=r"3 retries.*says 5.*keep one"):
        described({"restart_policy": "on-failure:3", "restart_retries": 5})


def test_errors_name_the_option() -> None:
    with pytest.raises(InvalidInput, match=r"^memory_swap: 'lots' is not a size"):
        described({"memory_swap": "lots"})
