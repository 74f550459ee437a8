# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The life of one remote host, bare to busy, through Ansible over ssh: systemd, cgroup v2, reboot, power cut.

The tests build on each other in the order in which they stand.
"""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.registries import (
    Registry,
    build_image,
    running_registry,
)
from ansible_collections.coracle.engine.tests.integration.rootfs import write_busybox_rootfs
from ansible_collections.coracle.engine.tests.system.conftest import Controller
from ansible_collections.coracle.engine.tests.system.machine import Machine

ROOTFS = "/var/tmp/busybox.tar"
NAP = {
    "image": "busybox:test",
    "network_mode": "none",
    "command": ["sleep", "infinity"],
    "stop_signal": "SIGKILL",
}
VOLUMES = {
    "scratch": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=1770"},
    "place": {"type": "none", "device": "/srv/place", "o": "bind"},
}
LAYER_SUMS = "cd /var/lib/coracle/layers && find . -type f | sort | xargs md5sum"
LOOK_AT_VOLUMES = "stat --file-system --format=%T scratch; ls scratch; cat place/file"


def start(controller: Controller, name: str, **options: t.Any) -> dict[str, t.Any]:
    return controller.task("coracle.engine.container", name=name, **{**NAP, **options})


def remove(controller: Controller, name: str) -> None:
    controller.task("coracle.engine.container", name=name, state="absent")


def inspect(controller: Controller, *names: str) -> list[dict[str, t.Any]]:
    """Docker's inspect documents of these containers, in this order."""
    found = controller.task("coracle.engine.container_info", name=list(names))["containers"]
    assert [container["Name"] for container in found] == [f"/{name}" for name in names]
    return t.cast("list[dict[str, t.Any]]", found)


def states(controller: Controller, *names: str) -> list[dict[str, t.Any]]:
    return [container["State"] for container in inspect(controller, *names)]


def wait_until(what: str, condition: t.Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.5)


def wait_until_running(controller: Controller, *names: str) -> None:
    wait_until(f"{names} run", lambda: all(state["Running"] for state in states(controller, *names)))


def start_holder(controller: Controller) -> dict[str, t.Any]:
    """It has a file system in memory and a directory of the host, both mounted as volumes."""
    volumes = [f"{name}:/{name}" for name in VOLUMES]
    return start(controller, "holder", restart_policy="always", volumes=volumes)


def inside_holder(controller: Controller, machine: Machine, command: str) -> list[str]:
    """Lines printed by a command of the host (without single quotes) in the container's root directory."""
    [state] = states(controller, "holder")
    return machine.ssh(f"sudo sh -ec 'cd /proc/{state['Pid']}/root; {command}'").splitlines()


@pytest.fixture(scope="module")
def image(controller: Controller, tmp_path_factory: pytest.TempPathFactory) -> str:
    rootfs = tmp_path_factory.mktemp("rootfs") / "busybox.tar"
    write_busybox_rootfs(rootfs)
    controller.task("ansible.builtin.copy", src=str(rootfs), dest=ROOTFS, mode="0644")
    controller.task("coracle.engine.image", name="busybox:test", source="rootfs", path=ROOTFS, cmd=["sh"])
    return "busybox:test"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def test_role_host_has_nothing_more_to_do(controller: Controller) -> None:
    """The fixture ran it on a bare installation; a second run, and a check, change nothing."""
    for options in ((), ("--check",)):
        recap = controller.play([], *options, roles=["coracle.engine.host"], gather_facts=True)
        assert "changed=0 " in recap


def test_image_comes_from_a_registry(
    controller: Controller, registry: Registry, tmp_path: pathlib.Path, host_address: str
) -> None:
    registry.push(build_image(tmp_path / "layout", [{"hello.txt": b"hello"}]), "hello:1")
    server = f"{host_address}:{registry.host.rpartition(':')[2]}"
    asked = {"name": f"{server}/hello:1", "insecure_registries": [server]}
    assert controller.task("coracle.engine.image", **asked)["changed"] is True
    assert controller.task("coracle.engine.image", **asked)["changed"] is False
    assert controller.task("coracle.engine.image", **asked, state="absent")["changed"] is True


@pytest.mark.usefixtures("image")
def test_container_outlives_the_login(controller: Controller, machine: Machine) -> None:
    """KillUserProcesses=yes ends whatever a session leaves behind; a container is not the session's."""
    assert "KillUserProcesses=yes" in machine.ssh("cat /etc/systemd/logind.conf.d/*")
    started = start(controller, "nap")
    pid = started["container"]["State"]["Pid"]
    assert f"/coracle/{started['container']['Id']}" in machine.ssh(f"cat /proc/{pid}/cgroup")

    controller.log_out()
    again = start(controller, "nap")
    assert again["changed"] is False
    assert again["container"]["State"]["Pid"] == pid


@pytest.mark.usefixtures("image")
def test_limits_are_the_kernels(controller: Controller, machine: Machine) -> None:
    limits = {"memory": "64m", "memory_swap": "64m", "cpus": 0.5, "pids_limit": 20, "cpuset_cpus": "0"}
    cgroup = f"/sys/fs/cgroup/coracle/{start(controller, 'small', **limits)['container']['Id']}"
    expected = {
        "memory.max": str(64 << 20),
        "memory.swap.max": "0",
        "cpu.max": "50000 100000",
        "pids.max": "20",
        "cpuset.cpus": "0",
    }
    assert {file: machine.ssh(f"cat {cgroup}/{file}").strip() for file in expected} == expected
    remove(controller, "small")
    assert machine.ssh(f"test -e {cgroup} || echo gone").strip() == "gone"


@pytest.mark.usefixtures("image")
def test_programs_are_executed(controller: Controller, machine: Machine) -> None:
    """In the container's control group of v2; in the background beyond the login, too."""
    container_id = start(controller, "nap", memory="64m")["container"]["Id"]

    def execute(command: str, **options: t.Any) -> dict[str, t.Any]:
        return controller.task("coracle.engine.container_exec", container="nap", command=command, **options)

    assert execute("id -u", user="app", tty=True)["stdout"] == "1000"
    assert execute("cat /proc/self/cgroup")["stdout"] == "0::/"
    begun = execute("sh -c 'until [ -e /go ]; do sleep 1; done; touch /late'", detach=True)
    group = machine.ssh(f"cat /sys/fs/cgroup/coracle/{container_id}/cgroup.procs").split()
    assert len(group) >= 3
    controller.log_out()
    sessions = f"sudo sh -c 'ls /run/coracle/containers/{container_id}/*/exec'"
    assert machine.ssh(sessions).split() == [begun["exec_id"]]
    execute("touch /go")
    wait_until("nothing is left of it", lambda: machine.ssh(sessions).split() == [])
    assert execute("ls /late", creates="/late")["changed"] is False
    remove(controller, "nap")


@pytest.mark.usefixtures("image")
def test_use_is_counted(controller: Controller) -> None:
    """By control groups v2. The disk is a real one: what is written to it counts."""
    script = "dd if=/dev/zero of=/file bs=64k count=160 conv=fsync; echo written; while :; do :; done"
    start(controller, "busy", command=["sh", "-c", script], memory="64m", cpus=0.5)
    controller.task("coracle.engine.container_wait", name="busy", log="^written$", timeout=120)
    options = {"stats": True, "stats_interval": 4, "processes": True, "changes": True}
    [found] = controller.task("coracle.engine.container_info", name="busy", **options)["containers"]
    stats = found["Stats"]
    assert 20 < stats["CPU"] < 75
    assert (stats["MemLimit"], stats["PIDs"]) == (64 << 20, 1)
    assert 0 < stats["MemUsage"] < 8 << 20
    assert stats["BlockOutput"] >= 10 << 20
    assert len(found["Processes"]["Processes"]) == 1
    assert found["Changes"] == [{"Kind": "A", "Path": "/file"}]
    remove(controller, "busy")
    host = controller.task("coracle.engine.host_info")
    assert (host["cgroups"]["mode"], host["ready"], host["problems"]) == ("v2", True, [])


@pytest.mark.usefixtures("image")
def test_out_of_memory_is_said(controller: Controller) -> None:
    eat = ["sh", "-c", "a=x; while true; do a=$a$a; done"]
    start(controller, "greedy", command=eat, memory="16m", memory_swap="16m")
    wait_until("it has ended", lambda: states(controller, "greedy")[0]["Status"] == "exited")
    [state] = states(controller, "greedy")
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    remove(controller, "greedy")


@pytest.mark.usefixtures("image")
def test_restart_policy_without_a_daemon(controller: Controller, machine: Machine) -> None:
    start(controller, "phoenix", restart_policy="always")
    [before] = inspect(controller, "phoenix")
    machine.ssh(f"sudo kill -9 {before['State']['Pid']}")
    wait_until("it was restarted", lambda: inspect(controller, "phoenix")[0]["RestartCount"] == 1)
    wait_until_running(controller, "phoenix")
    [after] = inspect(controller, "phoenix")
    assert after["Id"] == before["Id"]
    assert after["State"]["Pid"] != before["State"]["Pid"]


@pytest.mark.usefixtures("image")
def test_volumes_are_mounted(controller: Controller, machine: Machine) -> None:
    machine.ssh("sudo mkdir /srv/place")
    for name, options in VOLUMES.items():
        controller.task("coracle.engine.volume", name=name, driver_options=options)
    start_holder(controller)
    inside_holder(controller, machine, "echo kept > place/file; echo lost > scratch/file")
    assert inside_holder(controller, machine, LOOK_AT_VOLUMES) == ["tmpfs", "file", "kept"]
    assert machine.ssh("cat /srv/place/file").strip() == "kept"


@pytest.mark.usefixtures("image")
def test_reboot(controller: Controller, machine: Machine) -> None:
    """What shall run runs again, what the user has stopped stays stopped, the rest says how it ended."""
    policies = {"comes-back": "unless-stopped", "stays-down": "unless-stopped", "one-off": "no"}
    for name, policy in policies.items():
        start(controller, name, restart_policy=policy)
    controller.task("coracle.engine.container", name="stays-down", state="stopped")

    machine.reboot()
    wait_until_running(controller, "phoenix", "comes-back", "holder")
    stays_down, one_off = states(controller, "stays-down", "one-off")
    assert stays_down["Status"] == "exited"
    assert (one_off["Status"], one_off["ExitCode"]) == ("exited", 137)  # an orderly shutdown saw it end
    assert "coracle" not in machine.ssh("systemctl --failed --no-legend")
    ordering = machine.ssh("systemctl show --property=After coracle.service")
    assert {"remote-fs.target", "network-online.target"} <= set(ordering.partition("=")[2].split())
    assert inside_holder(controller, machine, LOOK_AT_VOLUMES) == ["tmpfs", "kept"]
    assert start_holder(controller)["changed"] is False
    assert start(controller, "phoenix", restart_policy="always")["changed"] is False
    assert start(controller, "comes-back", restart_policy="unless-stopped")["changed"] is False


@pytest.mark.usefixtures("image")
def test_power_cut_loses_nothing_that_was_reported(controller: Controller, machine: Machine) -> None:
    """Reported as done, then the plug is pulled: image and container are whole afterwards."""
    controller.task("coracle.engine.image", name="second:1", source="rootfs", path=ROOTFS, cmd=["true"])
    start(controller, "survivor", restart_policy="always")
    expected = machine.ssh(f"sudo sh -c '{LAYER_SUMS}'")
    assert len(expected.splitlines()) > 3

    start(controller, "last-word")
    machine.cut_power()
    wait_until_running(controller, "survivor", "holder")
    assert inside_holder(controller, machine, LOOK_AT_VOLUMES) == ["tmpfs", "kept"]
    assert states(controller, "last-word")[0]["Status"] == "exited"
    assert machine.ssh(f"sudo sh -c '{LAYER_SUMS}'") == expected
    images = controller.task("coracle.engine.image_info")["images"]
    assert "second:1" in {tag for image in images for tag in image["RepoTags"]}
    assert start(controller, "survivor", restart_policy="always")["changed"] is False


def test_nothing_is_left(controller: Controller, machine: Machine) -> None:
    gone = {"state": "absent"}
    controller.play(
        [
            {"coracle.engine.container_info": {}, "register": "containers"},
            {
                "coracle.engine.container": {"name": "{{ item.Name[1:] }}", **gone},
                "loop": "{{ containers.containers }}",
            },
            {"coracle.engine.image_info": {}, "register": "images"},
            {
                "coracle.engine.image": {"name": "{{ item.Id }}", "force": True, **gone},
                "loop": "{{ images.images }}",
            },
            {"coracle.engine.volume_info": {}, "register": "volumes"},
            {"coracle.engine.volume": {"name": "{{ item.Name }}", **gone}, "loop": "{{ volumes.volumes }}"},
        ]
    )
    assert machine.ssh("pgrep -a conmon || true") == ""
    assert machine.ssh("grep coracle /proc/self/mountinfo || true") == ""
    assert machine.ssh("ls -d /sys/fs/cgroup/coracle/* 2>/dev/null || true") == ""
    assert machine.ssh("cd /tmp; sudo find /var/lib/coracle/layers /var/lib/coracle/blobs -type f") == ""
    assert machine.ssh("cd /tmp; sudo find /var/lib/coracle/containers -mindepth 1") == ""
    assert machine.ssh("cd /tmp; sudo find /var/lib/coracle/volumes -mindepth 1") == ""
    assert machine.ssh("cat /srv/place/file").strip() == "kept"
