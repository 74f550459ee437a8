# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Keys of a service one by one: what they become, and how what cannot be is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.container_options import (
    CONTROL,
    DESCRIPTION,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.convert import (
    Converted,
    Settings,
    convert,
)
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.service import REFUSED, ROWS

FILES = {"a.env": b"A=1\nB='$C'\n", "raw.env": b'A="1"\n', "token": b"hunter2\n", "binary": b"\xff"}
SETTINGS = Settings(
    project="p", directory="/srv", variables={"SET": "s", "EMPTY": ""}, profiles=["on"], read=FILES.get
)
TOP: dict[str, t.Any] = {
    "networks": {"back": None, "there": {"external": True}},
    "volumes": {"data": None, "old": {"external": {"name": "older"}}},
    "secrets": {
        "token": {"file": "token"},
        "var": {"environment": "SET"},
        "none": {"external": True},
        "bin": {"file": "binary"},
        "gone": {"file": "gone"},
    },
    "configs": {"conf": {"content": "x ${SET}"}},
}


def whole(web: dict[str, t.Any], **settings: t.Any) -> Converted:
    services = {"web": {"image": "i", **web}, "db": {"image": "i", "networks": ["back"]}}
    return convert({"services": services, **TOP}, SETTINGS._replace(**settings))


def of(web: dict[str, t.Any], **settings: t.Any) -> dict[str, t.Any]:
    """What a service says, without what every service says."""
    [found] = [one for one in whole(web, **settings).containers if one["name"] != "p-db-1"]
    for key, value in (("name", "p-web-1"), ("image", "i")):
        assert found.pop(key) == value
    if "networks" not in web:
        assert found.pop("networks", None) == (
            None if "network_mode" in web else [{"name": "p_default", "aliases": ["web"]}]
        )
    return found


BECOMES: list[tuple[dict[str, t.Any], dict[str, t.Any]]] = [
    ({"command": "a 'b c'"}, {"command": "a 'b c'"}),
    ({"command": ["a", 1]}, {"command": ["a", "1"]}),
    ({"entrypoint": "a 'b c'"}, {"entrypoint": ["a", "b c"]}),
    ({"entrypoint": []}, {"entrypoint": []}),
    (
        {"environment": {"A": 1, "B": True, "SET": None, "GONE": None}},
        {"env": {"A": "1", "B": "true", "SET": "s"}},
    ),
    ({"environment": ["A=b=c", "SET", "GONE", "E="]}, {"env": {"A": "b=c", "SET": "s", "E": ""}}),
    ({"env_file": "a.env", "environment": {"A": "2"}}, {"env": {"A": "2", "B": "$C"}}),
    (
        {"env_file": [{"path": "no.env", "required": False}, {"path": "raw.env", "format": "raw"}]},
        {"env": {"A": '"1"'}},
    ),
    (
        {"ports": [80, "8080:80/udp", "127.0.0.1:1-2:1-2"]},
        {"published_ports": ["80", "8080:80/udp", "127.0.0.1:1-2:1-2"]},
    ),
    (
        {"ports": [{"target": 80}, {"target": 80, "published": 8, "host_ip": "::1", "protocol": "udp"}]},
        {"published_ports": ["80", "[::1]:8:80/udp"]},
    ),
    (
        {"volumes": ["data:/d", "./x:/x:ro", "../y:/y", "/z", "old:/o"]},
        {"volumes": ["p_data:/d", "/srv/x:/x:ro", "/y:/y", "/z", "older:/o"]},
    ),
    (
        {
            "volumes": [
                {"type": "bind", "source": "./x", "target": "/x", "bind": {"create_host_path": False}},
                {
                    "type": "volume",
                    "source": "data",
                    "target": "/d",
                    "volume": {"nocopy": True, "subpath": "s"},
                },
                {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m", "mode": 0o1770}},
                {"type": "image", "source": "i", "target": "/i"},
                {"type": "bind", "source": "/z", "target": "/z", "bind": {"selinux": "z"}, "read_only": True},
            ]
        },
        {
            "mounts": [
                {"type": "bind", "target": "/x", "source": "/srv/x", "create_mountpoint": False},
                {"type": "volume", "target": "/d", "source": "p_data", "no_copy": True, "subpath": "s"},
                {"type": "tmpfs", "target": "/t", "tmpfs_size": "1m", "tmpfs_mode": "1770"},
                {"type": "image", "target": "/i", "source": "i"},
            ],
            "volumes": ["/z:/z:z,ro"],
        },
    ),
    (
        {
            "networks": {
                "there": {"priority": 1},
                "back": {
                    "priority": 9,
                    "aliases": ["www"],
                    "ipv4_address": "10.0.0.9",
                    "interface_name": "eth7",
                },
            }
        },
        {
            "networks": [
                {
                    "name": "p_back",
                    "aliases": ["web", "www"],
                    "ipv4_address": "10.0.0.9",
                    "driver_opts": {"com.docker.network.endpoint.ifname": "eth7"},
                },
                {"name": "there", "aliases": ["web"]},
            ]
        },
    ),
    (
        {"links": ["db:base"], "networks": ["there", "back"]},
        {
            "networks": [
                {"name": "there", "aliases": ["web"]},
                {"name": "p_back", "aliases": ["web"], "links": ["p-db-1:base"]},
            ],
            "depends_on": {"p-db-1": {}},
        },
    ),
    ({"network_mode": "service:db"}, {"network_mode": "container:p-db-1"}),
    (
        {"network_mode": "host", "pid": "service:db", "ipc": "host"},
        {"network_mode": "host", "pid_mode": "container:p-db-1", "ipc_mode": "host"},
    ),
    ({"depends_on": ["db"]}, {"depends_on": {"p-db-1": {}}}),
    (
        {"depends_on": {"db": {"condition": "service_completed_successfully"}, "x": {"required": False}}},
        {"depends_on": {"p-db-1": {"condition": "service_completed_successfully"}}},
    ),
    ({"healthcheck": {"test": ["NONE"]}}, {"healthcheck": {"test": ["NONE"]}}),
    ({"healthcheck": {"disable": "true"}}, {"healthcheck": {"test": "NONE"}}),
    (
        {"logging": {"driver": "local", "options": {"max-file": 3}}},
        {"log_driver": "local", "log_options": {"max-file": "3"}},
    ),
    ({"ulimits": {"nproc": 9, "nofile": {"soft": 1, "hard": 2}}}, {"ulimits": ["nproc:9", "nofile:1:2"]}),
    (
        {"extra_hosts": ["a:1.2.3.4", "b=[::1]", "c:::1"]},
        {"etc_hosts": {"a": "1.2.3.4", "b": "::1", "c": "::1"}},
    ),
    (
        {"sysctls": ["a.b=1"], "labels": {"x": 1, "y": None}},
        {"sysctls": {"a.b": "1"}, "labels": {"x": "1", "y": ""}},
    ),
    (
        {"devices": ["/dev/a", {"source": "/dev/b", "permissions": "r"}]},
        {"devices": ["/dev/a", "/dev/b:/dev/b:r"]},
    ),
    (
        {"blkio_config": {"weight": 300, "device_read_bps": [{"path": "/dev/a", "rate": "1m"}]}},
        {"blkio_weight": 300, "device_read_bps": [{"path": "/dev/a", "rate": "1m"}]},
    ),
    (
        {
            "deploy": {"restart_policy": {"condition": "none"}, "mode": "replicated", "replicas": 1},
            "scale": "1",
        },
        {"restart_policy": "no"},
    ),
    ({"mem_limit": "1g", "deploy": {"resources": {"limits": {"memory": "1g"}}}}, {"memory": "1g"}),
    ({"secrets": ["token"]}, {"secrets": [{"name": "token", "value": "hunter2\n", "target": "token"}]}),
    (
        {"secrets": [{"source": "var", "target": "v", "uid": "7", "mode": 0o400}], "configs": ["conf"]},
        {
            "secrets": [
                {"name": "config.conf", "value": "x s", "target": "/conf"},
                {"name": "var", "value": "s", "target": "v", "uid": 7, "mode": "0400"},
            ]
        },
    ),
    ({"volumes_from": ["db:ro", "container:x"]}, {"volumes_from": ["p-db-1:ro", "x"]}),
    (
        {"stop_grace_period": "1m30s", "pull_policy": "if_not_present"},
        {"stop_timeout": 90, "pull": "missing"},
    ),
    (
        {"tmpfs": "/run", "dns": "1.1.1.1", "x-any": 1, "attach": False},
        {"tmpfs": ["/run"], "dns_servers": ["1.1.1.1"]},
    ),
]


def test_a_link_waits_for_what_depends_on_says() -> None:
    found = of({"links": ["db"], "depends_on": {"db": {"condition": "service_healthy"}}})
    assert found["depends_on"] == {"p-db-1": {"condition": "service_healthy"}}


@pytest.mark.parametrize(("web", "expected"), BECOMES, ids=",".join)
def test_what_keys_become(web: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    found = of(web)
    assert found == expected
    assert set(found) <= {*DESCRIPTION.options, *CONTROL.options, "depends_on"}


REFUSALS: list[tuple[dict[str, t.Any], str]] = [
    ({"deploy": {"placement": {"constraints": []}}}, "services.web.deploy.placement: there is no swarm"),
    ({"deploy": {"replicas": 2}}, "services.web.deploy.replicas: a service is one container here, not 2"),
    ({"scale": "two"}, "services.web.scale: 'two' is not a whole number"),
    ({"colour": 1}, "services.web.colour: has no counterpart here"),
    ({"command": []}, "services.web.command: an empty list"),
    ({"volumes": ["nodata:/x"]}, "services.web.volumes[0]: there is no volume nodata"),
    ({"volumes": ["~/x:/x"]}, "is in somebody's home directory"),
    (
        {"volumes": [{"type": "npipe", "target": "/x"}]},
        "services.web.volumes[0].type: npipe cannot be mounted here",
    ),
    (
        {"volumes": [{"target": "/x", "tmpfs": {"size": 1}}]},
        "services.web.volumes[0].tmpfs: has no meaning for type volume",
    ),
    ({"networks": ["front"]}, "services.web.networks[0]: there is no network front"),
    (
        {"networks": {"back": {"link_local_ips": []}}},
        "services.web.networks.back.link_local_ips: has no counterpart",
    ),
    ({"networks": ["back"], "network_mode": "host"}, "services.web.network_mode: there is networks, too"),
    ({"network_mode": "bridged"}, "services.web.network_mode: bridged is no mode here"),
    ({"depends_on": ["x"]}, "services.web.depends_on[0]: there is no service x (there are web, db)"),
    ({"depends_on": {"db": {"restart": True}}}, "services.web.depends_on.db.restart: "),
    ({"ports": [{"published": 1}]}, "services.web.ports[0]: has no target"),
    ({"environment": {"A": ["x"]}}, "services.web.environment.A: is a list, not text"),
    ({"env_file": "no.env"}, "services.web.env_file[0]: there is no file no.env"),
    ({"tty": "perhaps"}, "services.web.tty: 'perhaps' is neither true nor false"),
    (
        {"mem_limit": "1g", "deploy": {"resources": {"limits": {"memory": "2g"}}}},
        "services.web.mem_limit: memory is 2g elsewhere",
    ),
    ({"ulimits": {"nofile": {"soft": 1}}}, "services.web.ulimits.nofile: has no hard limit"),
    ({"extra_hosts": ["a"]}, "services.web.extra_hosts[0]: a is no name with an address"),
    ({"secrets": ["none"]}, "secrets.none.external: has no counterpart here"),
    ({"secrets": ["bin"]}, "secrets.bin.file: is not UTF-8 text"),
    ({"secrets": ["gone"]}, "secrets.gone.file: there is no file gone"),
    ({"secrets": ["x"]}, "services.web.secrets[0]: there is no secret x"),
    ({"pull_policy": "daily"}, "services.web.pull_policy: daily is no policy here"),
    ({"command": "${"}, "services.web.command: has a ${ without its }"),
    ({"command": "${GONE?say it}"}, "services.web.command: GONE is needed: say it"),
]


@pytest.mark.parametrize(("web", "said"), REFUSALS, ids=[said for _web, said in REFUSALS])
def test_what_cannot_be_is_refused_by_its_place(web: dict[str, t.Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        whole(web)
    assert said in str(caught.value)
    assert "mistakes" not in str(caught.value)


@pytest.mark.parametrize("key", REFUSED)
def test_every_refusal_says_what_to_do(key: str) -> None:
    assert key not in ROWS
    problem, hint = REFUSED[key]
    with pytest.raises(InvalidInput) as caught:
        whole({key: "x"})
    assert str(caught.value) == f"services.web.{key}: {problem} ({hint})"


def test_all_mistakes_at_once() -> None:
    document = {"services": {"a": {"build": "."}, "b": {"image": "i", "scale": 2, "tty": 9}}, "include": []}
    with pytest.raises(InvalidInput) as caught:
        convert(document, SETTINGS)
    told = str(caught.value)
    assert told.startswith("4 mistakes: include: ")
    assert "; services.a.build: " in told
    assert "; services.b.scale: " in told
    assert "; services.b.tty: 9" in told or "; services.b.tty: '9' is neither" in told


def test_relative_paths_need_a_directory() -> None:
    with pytest.raises(InvalidInput, match="give compose_directory"):
        whole({"volumes": ["./x:/x"]}, directory="")


def test_names() -> None:
    found = whole({"container_name": "front"}, project="", variables={}, fallback="My Shop_2")
    assert (found.project, [one["name"] for one in found.containers]) == (
        "myshop_2",
        ["front", "myshop_2-db-1"],
    )
    assert [one["name"] for one in found.networks] == ["myshop_2_default", "myshop_2_back"]
    assert [one["name"] for one in found.volumes] == ["myshop_2_data"]
    assert whole({}, project="", variables={"COMPOSE_PROJECT_NAME": "env"}).project == "env"
    with pytest.raises(InvalidInput, match="give project"):
        whole({}, project="", variables={})


def test_profiles() -> None:
    for profiles, expected in (
        ([], ["p-db-1"]),
        (["on"], ["p-web-1", "p-db-1"]),
        (["*"], ["p-web-1", "p-db-1"]),
    ):
        found = whole({"profiles": ["on", "off"]}, profiles=profiles)
        assert [one["name"] for one in found.containers] == expected


def test_networks_and_volumes() -> None:
    document = {
        "services": {"web": {"image": "i", "networks": ["n"]}},
        "networks": {
            "n": {
                "driver": "bridge",
                "internal": True,
                "enable_ipv6": "true",
                "labels": ["a=b"],
                "driver_opts": {"mtu": 1400},
                "ipam": {
                    "config": [{"subnet": "10.1.0.0/24", "ip_range": "10.1.0.0/28", "gateway": "10.1.0.1"}]
                },
            },
            "unused": {},
        },
        "volumes": {"v": {"name": "exact", "driver_opts": {"type": "tmpfs"}, "labels": {"a": 1}}},
    }
    found = convert(document, SETTINGS)
    assert found.networks == [
        {
            "name": "p_n",
            "driver": "bridge",
            "driver_options": {"mtu": "1400"},
            "internal": True,
            "enable_ipv6": True,
            "labels": {"a": "b"},
            "ipam_config": [{"subnet": "10.1.0.0/24", "gateway": "10.1.0.1", "iprange": "10.1.0.0/28"}],
        }
    ]
    assert found.volumes == [{"name": "exact", "driver_options": {"type": "tmpfs"}, "labels": {"a": "1"}}]


def test_a_variable_without_a_value_is_a_warning() -> None:
    assert whole({"hostname": "a$GONE", "user": "$EMPTY"}).warnings == [
        "the Compose file uses GONE, which has no value"
    ]
