# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Networks on a host with systemd and the modules of a distribution's kernel: who repairs the firewall when
no task does, and what the machine that runs the other tests may not have.
"""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.rootfs import write_busybox_rootfs
from ansible_collections.coracle.engine.tests.system.conftest import Controller
from ansible_collections.coracle.engine.tests.system.machine import Machine

ROOTFS = "/var/tmp/networks.tar"
SCTP = """
import socket, sys
def connected(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132) as sock:
        sock.settimeout(30)
        sock.connect((address, int(port)))
        return sock.recv(64).decode()
def serving(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", int(port)))
        sock.listen()
        while True:
            answer, peer = sock.accept()
            with answer:
                answer.sendall(b"by sctp, to " + peer[0].encode())
"""


@pytest.fixture(scope="module")
def web(controller: Controller, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, t.Any]]:
    """A container on network `web`, with a port of each protocol published."""
    rootfs = tmp_path_factory.mktemp("rootfs") / "busybox.tar"
    write_busybox_rootfs(rootfs)
    controller.task("ansible.builtin.copy", src=str(rootfs), dest=ROOTFS, mode="0644")
    controller.task("coracle.engine.image", name="networks:test", source="rootfs", path=ROOTFS, cmd=["sh"])
    controller.task("coracle.engine.network", name="web")
    yield controller.task(
        "coracle.engine.container",
        name="web",
        image="networks:test",
        command=["sleep", "infinity"],
        stop_signal="SIGKILL",
        networks=[{"name": "web"}],
        published_ports=["8080:80", "8080:80/udp", "8080:80/sctp"],
    )["container"]
    for module, name in (("container", "web"), ("network", "web"), ("image", "networks:test")):
        controller.task(f"coracle.engine.{module}", name=name, state="absent")
    assert "coracle" not in controller.machine.ssh("sudo nft list ruleset")


CHANGES = (
    "nft flush ruleset",
    "nft delete table inet coracle",
    "systemctl start nftables",
    "systemctl reload nftables",
    "systemctl restart nftables",
    "systemctl stop nftables",
)
MAKE_THEM = """
set -eu
table() { nft list table inet coracle >/dev/null 2>&1; }
for change in "$@"; do
    $change
    tries=0
    until table; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || { echo "not after: $change"; exit 1; }
        sleep 0.2
    done
done
sleep 5
pgrep -f look-after-firewal[l] || echo nobody stays
systemctl is-active coracle-firewall.socket
journalctl --no-pager --output=cat -u coracle-firewall.service | sort -u
"""


@pytest.mark.usefixtures("web")
def test_the_firewall_comes_back_at_once(machine: Machine) -> None:
    """Whoever takes it away, and without a task; and nobody stays to watch."""
    machine.ssh(f"cat > changes.sh <<'END'\n{MAKE_THEM}\nEND")
    quoted = " ".join(f"'{change}'" for change in CHANGES)
    assert machine.ssh(f"sudo sh changes.sh {quoted}").splitlines() == [
        "nobody stays",
        "active",
        "the firewall of the containers is restored: the table inet coracle has gone",
    ]


def test_an_association_of_sctp(machine: Machine, web: dict[str, t.Any]) -> None:
    """From outside it would need a second machine; from a namespace beside it comes by the same way."""
    machine.ssh("sudo modprobe sctp")
    pid = web["State"]["Pid"]
    prepared = "; ".join(
        (
            "sudo ip netns add outside",
            "sudo ip link add out0 type veth peer name eth0 netns outside",
            "sudo ip address add 192.0.2.1/24 dev out0",
            "sudo ip link set out0 up",
            "sudo ip -n outside address add 192.0.2.2/24 dev eth0",
            "sudo ip -n outside link set eth0 up",
        )
    )
    machine.ssh(prepared)
    try:
        machine.ssh(f"cat > sctp.py <<'END'\n{SCTP}\nEND")
        serve = "import sctp; sctp.serving(80)"
        machine.ssh(
            f"sudo systemd-run --quiet --unit=sctp-server --working-directory=$PWD"
            f" nsenter --net=/proc/{pid}/ns/net python3 -c '{serve}'"
        )
        time.sleep(1)
        for place, address, answer in (
            ("ip netns exec outside", "192.0.2.1", "by sctp, to 192.0.2.2"),
            ("", "127.0.0.1", "by sctp, to "),
            (f"nsenter --net=/proc/{pid}/ns/net", "192.0.2.1", "by sctp, to "),
        ):
            ask = f'import sctp; print(sctp.connected("{address}", 8080))'
            assert machine.ssh(f"sudo {place} python3 -c '{ask}'").startswith(answer), place
    finally:
        machine.ssh("sudo systemctl stop sctp-server; sudo ip netns delete outside", check=False)


@pytest.mark.usefixtures("web")
def test_a_network_becomes_ipvlan_under_a_container(
    controller: Controller, machine: Machine, web: dict[str, t.Any]
) -> None:
    """And a bridge again. The process inside is the same."""
    inside = f"sudo nsenter --net=/proc/{web['State']['Pid']}/ns/net"
    look = f"{inside} ip -d -o link show eth0; {inside} ip -o -4 address show eth0"
    network = {"name": "web", "driver": "ipvlan", "ipam_config": [{"subnet": "198.51.100.0/24"}]}
    cable = ("add lan0 type veth peer name lan1", "set lan0 up", "set lan1 up")
    machine.ssh("; ".join(f"sudo ip link {words}" for words in cable))
    try:
        for mode in ("l2", "l3"):
            options = {**network, "driver_options": {"parent": "lan0", "mode": mode}}
            changed = controller.task("coracle.engine.network", **options)
            assert [action.split(":")[0] for action in changed["actions"]] == ["replace network web"]
            shown = machine.ssh(look)
            assert f"ipvlan  mode {mode} " in shown
            assert "198.51.100." in shown
        assert not controller.task("coracle.engine.network", **options)["changed"]
        assert controller.task("coracle.engine.network", name="web")["changed"]
        assert "veth" in machine.ssh(look)
        [after] = controller.task("coracle.engine.container_info", name=["web"])["containers"]
        assert after["State"]["Pid"] == web["State"]["Pid"]
    finally:
        machine.ssh("sudo ip link delete lan0", check=False)
