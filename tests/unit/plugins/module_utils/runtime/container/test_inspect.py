# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The shape of `docker inspect`: where people's filters look for things, and what they find there."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.inspect import NEVER, inspect
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import ContainerRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import Status
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
)

ID = "ab" * 32
PATHS = Paths("/r", "/x")
IMAGE = ImageConfig(
    env=["PATH=/image/bin", "FROM=image"],
    cmd=["serve", "--all"],
    labels={"of": "image", "both": "image"},
    volumes=["/kept"],
    exposed_ports=["80/tcp"],
    user="app",
    working_dir="/srv",
    stop_signal="SIGQUIT",
)


def inspected(status: Status | None = None, container_id: str = ID, **options: t.Any) -> dict[str, t.Any]:
    record = ContainerRecord(
        id=container_id,
        name="web",
        image_id="sha256:" + "1" * 64,
        image_name="docker.io/library/app:1",
        image=IMAGE if container_id else ImageConfig(),
        config=described(options),
        created="2026-11-24T03:32:19.123456789Z",
    )
    return inspect(PATHS, record, status or Status("created"))


def test_identity() -> None:
    facts = inspected()
    assert (facts["Id"], facts["Name"], facts["Image"]) == (ID, "/web", "sha256:" + "1" * 64)
    assert (facts["Path"], facts["Args"]) == ("serve", ["--all"])
    assert facts["Config"]["Image"] == "app:1"
    assert facts["HostnamePath"] == f"/r/containers/{ID}/hostname"
    json.dumps(facts)


def test_what_was_asked_lies_over_what_the_image_brings() -> None:
    facts = inspected(
        env={"FROM": "task", "ANOTHER": "1"},
        labels={"both": "task"},
        user="root",
        command="other",
        hostname="h",
        stop_signal="int",
    )
    config = facts["Config"]
    assert config["Env"] == ["PATH=/image/bin", "FROM=task", "ANOTHER=1"]
    assert config["Labels"] == {"of": "image", "both": "task"}
    assert (config["User"], config["WorkingDir"], config["Cmd"]) == ("root", "/srv", ["other"])
    assert (config["Hostname"], config["StopSignal"], config["StopTimeout"]) == ("h", "SIGINT", 10)
    assert config["ExposedPorts"] == {"80/tcp": {}}


def test_only_variables_that_somebody_gave_are_shown() -> None:
    assert inspected(tty=True)["Config"]["Env"] == ["PATH=/image/bin", "FROM=image"]
    assert "HOSTNAME=mine" in inspected(env={"HOSTNAME": "mine"})["Config"]["Env"]


def test_states() -> None:
    created = inspected()["State"]
    assert (created["Status"], created["Running"], created["StartedAt"]) == ("created", False, NEVER)
    running = inspected(Status("running", pid=7, started_at="2026-11-24T03:32:20Z"))["State"]
    assert (running["Running"], running["Pid"], running["FinishedAt"]) == (True, 7, NEVER)
    paused = inspected(Status("paused", pid=7))["State"]
    assert (paused["Status"], paused["Running"], paused["Paused"]) == ("paused", True, True)
    restarting = inspected(Status("restarting", exit_code=1))["State"]
    assert (restarting["Running"], restarting["Restarting"], restarting["ExitCode"]) == (True, True, 1)
    killed = inspected(Status("exited", exit_code=137, oom_killed=True, error="why"))["State"]
    assert (killed["ExitCode"], killed["OOMKilled"], killed["Error"], killed["Pid"]) == (137, True, "why", 0)


def test_limits_and_host_side() -> None:
    host = inspected(
        memory="64m",
        cpus=1.5,
        cpuset_cpus="0-1",
        ulimits=["nofile:64:128"],
        restart_policy="on-failure:3",
        capabilities=["net_admin"],
        devices=["/dev/fuse"],
        network_mode="host",
        volumes=["/srv:/data:ro", "named:/named"],
        tmpfs=["/run:size=1m"],
        read_only=True,
    )["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (
        64 * 1024**2,
        128 * 1024**2,
        1_500_000_000,
    )
    assert (host["CpusetCpus"], host["Ulimits"]) == ("0-1", [{"Name": "nofile", "Soft": 64, "Hard": 128}])
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["CapAdd"] == ["NET_ADMIN"]
    assert host["Devices"] == [
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}
    ]
    assert (host["NetworkMode"], host["ReadonlyRootfs"]) == ("host", True)
    assert host["Binds"] == ["/srv:/data:ro", "named:/named"]
    assert host["Tmpfs"] == {"/run": "size=1048576"}


def test_network_options() -> None:
    facts = inspected(
        network_mode="web",
        published_ports=["127.0.0.1:8080:80", "53/udp", "9000-9009:90"],
        exposed_ports=["443"],
        default_host_ip="::1",
        publish_all_ports=True,
        domainname="example.com",
        dns_servers=["192.0.2.1"],
        dns_search_domains=["example.com"],
        dns_opts=["ndots:2"],
        etc_hosts={"db": "192.0.2.9"},
        sysctls={"net.core.somaxconn": 1024},
    )
    host = facts["HostConfig"]
    assert host["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "::1", "HostPort": ""}],
        "90/tcp": [{"HostIp": "::1", "HostPort": "9000-9009"}],
    }
    assert (host["NetworkMode"], host["PublishAllPorts"]) == ("web", True)
    assert (host["Dns"], host["DnsSearch"], host["DnsOptions"]) == (
        ["192.0.2.1"],
        ["example.com"],
        ["ndots:2"],
    )
    assert (host["ExtraHosts"], host["Sysctls"]) == (["db:192.0.2.9"], {"net.core.somaxconn": "1024"})
    assert facts["Config"]["Domainname"] == "example.com"
    assert sorted(facts["Config"]["ExposedPorts"]) == ["443/tcp", "53/udp", "80/tcp", "90/tcp"]


def test_mounts() -> None:
    mounts = {
        mount["Destination"]: mount
        for mount in inspected(volumes=["/srv:/data:ro", "named:/named"])["Mounts"]
    }
    assert mounts["/data"] | {"Mode": "ro"} == {
        "Type": "bind",
        "Source": "/srv",
        "Destination": "/data",
        "Mode": "ro",
        "RW": False,
        "Propagation": "rprivate",
    }
    assert (mounts["/named"]["Name"], mounts["/named"]["Source"]) == ("named", "/r/volumes/named/_data")
    assert (mounts["/kept"]["Type"], len(mounts["/kept"]["Name"])) == ("volume", 64)


def test_mounts_of_every_type() -> None:
    asked = [
        {"type": "bind", "source": "/srv", "target": "/bind", "propagation": "rslave", "non_recursive": True},
        {"type": "bind", "source": "/a", "target": "/zz", "read_only": True, "read_only_non_recursive": True},
        {"type": "volume", "source": "data", "target": "/data", "no_copy": True, "subpath": "a/b"},
        {
            "target": "/own",
            "labels": {"a": "b"},
            "volume_options": {"type": "cifs", "device": "//nas/x", "o": "password=hunter2"},
        },
        {"type": "tmpfs", "target": "/tmpfs", "tmpfs_size": "1m", "tmpfs_mode": "1770"},
        {"type": "image", "source": "app:1", "target": "/image", "subpath": "srv"},
    ]
    facts = inspected(mounts=asked, volumes_from=["db:ro"])
    assert "hunter2" not in str(facts)
    assert facts["HostConfig"]["VolumesFrom"] == ["db:ro"]
    assert facts["HostConfig"]["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/srv",
            "Target": "/bind",
            "ReadOnly": False,
            "BindOptions": {"Propagation": "rslave", "NonRecursive": True},
        },
        {
            "Type": "volume",
            "Source": "data",
            "Target": "/data",
            "ReadOnly": False,
            "VolumeOptions": {"NoCopy": True, "Subpath": "a/b"},
        },
        {
            "Type": "image",
            "Source": "app:1",
            "Target": "/image",
            "ReadOnly": True,
            "ImageOptions": {"Subpath": "srv"},
        },
        {
            "Type": "volume",
            "Source": "",
            "Target": "/own",
            "ReadOnly": False,
            "VolumeOptions": {
                "Labels": {"a": "b"},
                "DriverConfig": {
                    "Name": "local",
                    "Options": {"type": "cifs", "device": "//nas/x", "o": "password=(hidden)"},
                },
            },
        },
        {
            "Type": "tmpfs",
            "Source": "",
            "Target": "/tmpfs",
            "ReadOnly": False,
            "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1770},
        },
        {
            "Type": "bind",
            "Source": "/a",
            "Target": "/zz",
            "ReadOnly": True,
            "BindOptions": {"ReadOnlyNonRecursive": True},
        },
    ]
    mounts = {mount["Destination"]: mount for mount in facts["Mounts"]}
    assert mounts["/tmpfs"] == {
        "Type": "tmpfs",
        "Source": "",
        "Destination": "/tmpfs",
        "Mode": "mode=1770,size=1048576",
        "RW": True,
        "Propagation": "",
    }
    assert (mounts["/image"]["Type"], mounts["/image"]["Source"], mounts["/image"]["RW"]) == (
        "image",
        "app:1",
        False,
    )
    assert (mounts["/bind"]["Propagation"], mounts["/data"]["Mode"]) == ("rslave", "nocopy")


def test_a_container_to_come_of_an_image_that_is_not_here() -> None:
    facts = inspected(container_id="", env={"A": "1"}, memory="64m")
    assert (facts["Id"], facts["LogPath"], facts["Path"], facts["Mounts"]) == ("", "", "", [])
    assert facts["Config"]["Env"] == ["A=1"]
    assert facts["HostConfig"]["Memory"] == 64 * 1024**2
