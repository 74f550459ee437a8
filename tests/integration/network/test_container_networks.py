# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers on networks: what they see of them, and how that changes while they run."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_published_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    list_hidden,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    CoracleError,
    InvalidInput,
    RuntimeFailure,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.namespaces import (
    create_network_namespace,
    remove_network_namespace,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import Pool, bridge_name
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    endpoints_of,
    find_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.connect_network import (
    connect_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.disconnect_network import (
    disconnect_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.repair_container import (
    repair_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    repair_replacement,
    replace_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.restore_containers import (
    restore_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_container import (
    update_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import (
    IMAGE_NAME,
    Harbour,
    wait_until,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

pytestmark = pytest.mark.usefixtures("host")

WAIT = ("sleep", "1000")
SERVE = ("nc", "-ll", "-p", "80", "-e", "echo", "at your service")


def test_a_container_on_a_network_reaches_its_gateway_and_beyond(harbour: Harbour, lan: Lan) -> None:
    network = create_network(harbour.engine, "web", NetworkOptions())
    record = harbour.start("shop", *WAIT, network_mode="web")
    [endpoint] = endpoints_of(harbour.engine.records.read(), record.id)
    place = f"{harbour.paths.netns}/{record.id}"
    lan.run(place, ["busybox", "ping", "-c1", "-W2", network.gateway(4)])
    assert endpoint.addresses[0] in lan.run(place, ["ip", "-o", "address", "show", "eth0"])


def test_a_network_comes_and_goes_while_the_program_runs(harbour: Harbour, lan: Lan) -> None:
    for name in ("web", "db"):
        create_network(harbour.engine, name, NetworkOptions())
    record = harbour.start("shop", *WAIT, network_mode="web")
    pid, place = harbour.status("shop").pid, f"{harbour.paths.netns}/{record.id}"

    connect_network(harbour.engine, "shop", "db")
    web, db = endpoints_of(harbour.engine.records.read(), record.id)
    assert (web.interface, db.interface) == ("eth0", "eth1")
    assert db.addresses[0] in lan.run(place, ["ip", "-o", "address", "show", "eth1"])
    assert routes(lan, place) == ["eth0"]

    disconnect_network(harbour.engine, "shop", "web")
    assert routes(lan, place) == ["eth1"]
    assert interfaces(lan, place) == {"eth1"}
    assert bridges(lan) == {bridge_of(harbour, "db")}
    assert harbour.status("shop").pid == pid
    assert harbour.record("shop").state.rewiring is None


# Ports


def test_ports_open_and_close_while_the_program_runs(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("shop", *SERVE, network_mode="web")
    pid = harbour.status("shop").pid
    host = ADDRESSES["host"]
    assert lan.probe("neighbour", "tcp", host, 8080) == "refused"
    update(harbour, "shop", network_mode="web", published_ports=["8080:80"])
    answers(lan, "neighbour", host, 8080)
    update(harbour, "shop", network_mode="web", published_ports=["8081:80"])
    assert lan.probe("neighbour", "tcp", host, 8080) == "refused"
    answers(lan, "neighbour", host, 8081)
    assert harbour.status("shop").pid == pid
    stop_container(harbour.engine, "shop")
    assert lan.probe("neighbour", "tcp", host, 8081) == "refused"


def test_a_port_that_is_taken_changes_nothing(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("other", *SERVE, network_mode="web", published_ports=ports("8080:80"))
    harbour.start("shop", *SERVE, network_mode="web", published_ports=ports("8081:80"))
    before = endpoints_of(harbour.engine.records.read(), harbour.record("shop").id)
    with pytest.raises(Conflict, match="other"):
        update(harbour, "shop", networks=[{"name": "web", "aliases": ["x"]}], published_ports=["8080:80"])
    assert endpoints_of(harbour.engine.records.read(), harbour.record("shop").id) == before
    answers(lan, "neighbour", ADDRESSES["host"], 8081)


# Replacement


FIXED: dict[str, t.Any] = {"network_mode": "web", "published_ports": ["8080:80"], "stop_timeout": 0}


def test_a_replacement_takes_over_address_mac_and_port(harbour: Harbour, lan: Lan) -> None:
    network = create_network(harbour.engine, "web", NetworkOptions())
    address, mac = network.gateway(4)[:-1] + "77", "02:00:00:00:00:77"
    fixed = {**FIXED, "networks": [{"name": "web", "ipv4_address": address, "mac_address": mac}]}
    old = harbour.start("shop", *SERVE, **described_as(fixed))
    new = replace(harbour, "shop", fixed)
    assert new.id != old.id
    [endpoint] = endpoints_of(harbour.engine.records.read(), new.id)
    assert (endpoint.address(4), endpoint.mac) == (address, mac)
    place = harbour.paths.network_namespace(new.id)
    seen = lan.run(place, ["ip", "-o", "address", "show", "eth0"])
    assert f"{address}/24" in seen
    answers(lan, "neighbour", ADDRESSES["host"], 8080)
    answers(lan, "host", address, 80)


def test_a_replacement_that_fails_gives_everything_back(harbour: Harbour, lan: Lan) -> None:
    network = create_network(harbour.engine, "web", NetworkOptions())
    address = network.gateway(4)[:-1] + "77"
    fixed = {**FIXED, "networks": [{"name": "web", "ipv4_address": address}]}
    old = harbour.start("shop", *SERVE, **described_as(fixed))
    before = endpoints_of(harbour.engine.records.read(), old.id)
    with pytest.raises(RuntimeFailure, match="the old container runs again"):
        replace(harbour, "shop", fixed, command=["sh", "-c", "exit 7"])
    assert harbour.record("shop").id == old.id
    assert endpoints_of(harbour.engine.records.read(), old.id) == before
    answers(lan, "neighbour", ADDRESSES["host"], 8080)
    answers(lan, "host", address, 80)


def test_a_replacement_that_is_killed_is_undone(harbour: Harbour, lan: Lan) -> None:
    """After everything was taken over, and before the new one is let go."""
    network = create_network(harbour.engine, "web", NetworkOptions())
    address = network.gateway(4)[:-1] + "77"
    fixed = {**FIXED, "networks": [{"name": "web", "ipv4_address": address}]}
    old = harbour.start("shop", *SERVE, **described_as(fixed))
    code = """
import os, signal
replacement = load("operations.replace_container")
replacement.release_container = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
config = load("reconcile.container_fields").described(eval(arguments[0]))
record = load("container.records").find_container(engine.database, "shop")
image = load("content.images").list_images(engine.database.read())[0]
replacement.replace_container(engine, "shop", config, image, record.image_name, run=True)
"""
    done = harbour.run_python(code, repr({**fixed, "command": [*SERVE]}))
    assert done.returncode == -9, done.stderr
    [half] = list_hidden(harbour.engine.database)
    assert half.state.took_over
    repair_replacement(harbour.engine, half.id)
    assert harbour.record("shop").id == old.id
    answers(lan, "neighbour", ADDRESSES["host"], 8080)
    answers(lan, "host", address, 80)


# Modes


def test_two_containers_share_one_network(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("shop", *SERVE, network_mode="web", hostname="counter")
    harbour.create("idle", *WAIT, network_mode="web")
    with pytest.raises(Conflict, match="container idle does not run"):
        harbour.start("lost", *WAIT, network_mode="container:idle")
    look = "nc 127.0.0.1 80 </dev/null; cat /etc/hosts; hostname; cat /etc/hostname"
    harbour.start("helper", "sh", "-c", look, network_mode="container:shop")
    harbour.settled("helper")
    said = harbour.output("helper")
    assert "at your service" in said
    assert said.count("counter") >= 3


def test_a_namespace_that_somebody_else_has_made(harbour: Harbour, lan: Lan, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "blue"
    create_network_namespace(str(place))
    try:
        lan.run(place, ["ip", "link", "add", "blue0", "type", "bridge"])
        harbour.start("shop", "sh", "-c", "ip -o link", network_mode=f"ns:{place}")
        harbour.settled("shop")
        assert "blue0" in harbour.output("shop")
        assert "blue0" in lan.run(place, ["ip", "-o", "link"])
        with pytest.raises(InvalidInput, match="is not a network namespace"):
            harbour.start("wrong", *WAIT, network_mode="ns:/etc/passwd")
    finally:
        remove_network_namespace(str(place))


def test_kernel_parameters_of_its_own(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    look = "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/domainname /proc/sys/kernel/msgmax"
    sysctls = {"net.core.somaxconn": "77", "kernel.msgmax": "4321"}
    harbour.start("shop", "sh", "-c", look, network_mode="web", sysctls=sysctls, domainname="example.com")
    harbour.settled("shop")
    assert harbour.output("shop").split() == ["77", "example.com", "4321"]
    assert lan.sysctl("host", "core/somaxconn") != "77"


# Starting again


def test_a_container_keeps_its_place_over_starts(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    record = harbour.start("shop", *WAIT, network_mode="web", stop_timeout=0)
    [before] = endpoints_of(harbour.engine.records.read(), record.id)
    stop_container(harbour.engine, "shop")
    assert bridges(lan) == set()
    assert not os.path.exists(harbour.paths.network_namespace(record.id))
    harbour.start("other", *WAIT, network_mode="web")
    harbour.start("shop")
    assert endpoints_of(harbour.engine.records.read(), record.id) == [before]
    place = harbour.paths.network_namespace(record.id)
    assert before.mac in lan.run(place, ["ip", "-o", "link", "show", "eth0"])


def test_after_a_reboot_everything_has_its_place_again(harbour: Harbour, lan: Lan) -> None:
    """As a reboot has it: processes, links, firewall and run root are gone. Who shares the network of another
    container comes after it, although it was made first.
    """
    create_network(harbour.engine, "web", NetworkOptions())
    always = {"restart_policy": "always", "stop_timeout": 0}
    harbour.create("helper", *WAIT, network_mode="container:shop", **always)
    record = harbour.start("shop", *SERVE, network_mode="web", published_ports=ports("8080:80"), **always)
    harbour.start("helper")
    before = endpoints_of(harbour.engine.records.read(), record.id)
    reboot(harbour, lan)

    assert restore_containers(harbour.engine) == ["shop", "helper"]
    assert endpoints_of(harbour.engine.records.read(), record.id) == before
    answers(lan, "neighbour", ADDRESSES["host"], 8080)
    shop, helper = (os.stat(f"/proc/{harbour.status(name).pid}/ns/net").st_ino for name in ("shop", "helper"))
    assert shop == helper


def test_who_shares_a_network_follows(target: Target, lan: Lan) -> None:
    """The container that has the network is replaced, then only restarted; who shares it comes after it with
    its own, unchanged task, in one play.
    """
    shop = {"name": "shop", "image": target.image, "command": WAIT, "stop_timeout": 0}
    shop["published_ports"] = ["8080:80"]
    helper = target.container(
        name="helper", image=target.image, command=SERVE, network_mode="container:shop", stop_timeout=0
    )
    target.run(target.container(**shop), helper)
    answers(lan, "neighbour", ADDRESSES["host"], 8080)
    new = {**shop, "hostname": "other"}
    replaced, followed, again = target.run(target.container(**new), helper, helper)
    reason = "restart container helper: network_mode: container shop has another network now"
    assert replaced["changed"]
    assert (followed["actions"], again["changed"]) == ([reason], False)
    answers(lan, "neighbour", ADDRESSES["host"], 8080)
    _restarted, foreseen, followed = target.run(
        target.container(**new, restart=True), {**helper, "check_mode": True}, helper
    )
    assert foreseen["actions"] == followed["actions"] == [reason]
    answers(lan, "neighbour", ADDRESSES["host"], 8080)


def reboot(harbour: Harbour, lan: Lan) -> None:
    group = harbour.paths.cgroup_parent
    for pid in [*cgroups.processes(f"{group}/conmon"), *cgroups.processes(group)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: cgroups.processes(group), lambda left: not left)
    for directory in (harbour.paths.run_root, harbour.paths.root):
        mounts.unmount_below(directory)
    cgroups.remove(group)
    for bridge in bridges(lan):
        lan.run("host", ["ip", "link", "delete", bridge])
    lan.run("host", ["nft", "flush", "ruleset"])
    shutil.rmtree(harbour.paths.run_root)


def test_what_a_kill_leaves_is_put_right(harbour: Harbour, lan: Lan) -> None:
    """Killed when the new interface is in the state file and not in the namespace."""
    for name in ("web", "db"):
        create_network(harbour.engine, name, NetworkOptions())
    record = harbour.start("shop", *WAIT, network_mode="web")
    code = """
import os, signal
load("operations.rewire_container").connect_endpoints = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
verb("connect_network")(engine, "shop", "db")
"""
    assert harbour.run_python(code).returncode == -9
    place = harbour.paths.network_namespace(record.id)
    assert interfaces(lan, place) == {"eth0"}
    assert harbour.record("shop").state.rewiring == []
    repair_container(harbour.engine, "shop")
    assert interfaces(lan, place) == {"eth0", "eth1"}
    assert harbour.record("shop").state.rewiring is None


def test_a_network_that_cannot_be_joined_changes_nothing(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    flat = NetworkOptions(driver="macvlan", parent="nothing0", pools=(Pool("10.77.0.0/24"),))
    create_network(harbour.engine, "flat", flat)
    record = harbour.start("shop", *WAIT, network_mode="web", published_ports=ports("8080:80"))
    with pytest.raises(CoracleError, match="nothing0"):
        update(harbour, "shop", networks=[{"name": "flat"}])
    place = harbour.paths.network_namespace(record.id)
    assert interfaces(lan, place) == {"eth0"}
    assert routes(lan, place) == ["eth0"]
    [endpoint] = endpoints_of(harbour.engine.records.read(), record.id)
    assert endpoint.network == "web"
    assert harbour.record("shop").config.network_mode == "web"
    assert harbour.record("shop").state.rewiring is None


# Looking


def answers(lan: Lan, place: str, address: str, port: int) -> None:
    """Once the program listens."""
    wait_until(lambda: lan.probe(place, "tcp", address, port), lambda found: found.startswith("open:at"), 5)


def routes(lan: Lan, place: str) -> list[str]:
    """The interfaces of default routes."""
    found = lan.run(place, ["ip", "-o", "route", "show", "default"]).splitlines()
    return [line.split(" dev ")[1].split()[0] for line in found]


def interfaces(lan: Lan, place: str) -> set[str]:
    found = lan.run(place, ["ip", "-o", "link"]).splitlines()
    return {line.split()[1].partition("@")[0].rstrip(":") for line in found} - {"lo"}


def bridges(lan: Lan) -> set[str]:
    found = lan.run("host", ["ip", "-o", "link", "show", "type", "bridge"]).splitlines()
    return {line.split()[1].rstrip(":") for line in found}


def bridge_of(harbour: Harbour, name: str) -> str:
    network = find_network(harbour.engine.records.read(), name)
    assert network is not None
    return network.bridge or bridge_name(network.id)


def described_as(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return described(options).to_json()


def ports(*texts: str) -> list[dict[str, t.Any]]:
    return parse_published_ports(list(texts), "published_ports")


def update(harbour: Harbour, name: str, **options: t.Any) -> None:
    record = harbour.record(name)
    config = described({"command": record.config.command, **options})
    update_container(harbour.engine, name, config, record.image_name)


def replace(harbour: Harbour, name: str, options: dict[str, t.Any], **changes: t.Any) -> ContainerRecord:
    config = described({"command": [*SERVE], **options, **changes})
    return replace_container(harbour.engine, name, config, harbour.image, IMAGE_NAME, run=True)
