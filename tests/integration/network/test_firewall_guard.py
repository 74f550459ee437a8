# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The agent that systemd starts when the kernel's firewall has changed: with a real netlink socket, and the
environment that systemd makes.
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.nftables import (
    NETLINK_NETFILTER,
    is_there,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.install_agent import (
    agent_command,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.install_firewall_unit import (
    firewall_units,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

_PASS = 'exec 3<&"$1"; shift; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'


def listening(harbour: Harbour) -> socket.socket:
    """Bound to the group that the unit names."""
    [line] = [line for line in firewall_units(harbour.engine)[0].text.splitlines() if "ListenNetlink" in line]
    family, group = line.partition("=")[2].split()
    assert family == "netfilter"
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.bind((0, int(group)))
    return sock


@contextlib.contextmanager
def agent(harbour: Harbour, sock: socket.socket) -> t.Iterator[subprocess.Popen[str]]:
    command = [*agent_command(harbour.engine), "look-after-firewall"]
    with subprocess.Popen(
        ["bash", "-c", _PASS, "agent", str(sock.fileno()), *command],
        pass_fds=[sock.fileno()],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.mark.usefixtures("lan")
def test_a_table_that_goes_comes_back_at_once(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("web", "sleep", "1000", network_mode="web")
    table = harbour.engine.paths.instance
    with listening(harbour) as changes:
        lan.run("host", ["nft", "flush", "ruleset"])
        assert select.select([changes], [], [], 0)[0] == [changes]  # systemd sees that, and starts the agent
        with agent(harbour, changes) as process:
            wait_until(lambda: is_there(table), bool)
            for _again in range(3):
                lan.run("host", ["nft", "delete", "table", "inet", table])
                started = time.monotonic()
                wait_until(lambda: is_there(table), bool)
                assert time.monotonic() - started < 1.5
            output, _none = process.communicate(timeout=20)  # it does not stay
        assert process.returncode == 0
        assert (
            output == f"<5>the firewall of the containers is restored: the table inet {table} has gone\n" * 4
        )
        assert select.select([changes], [], [], 0)[0] == []  # or systemd would start it again and again


@pytest.mark.usefixtures("lan")
def test_nobody_needs_a_table(harbour: Harbour, lan: Lan) -> None:
    create_network(harbour.engine, "web", NetworkOptions())
    harbour.start("web", "sleep", "1000", network_mode="web")
    remove_container(harbour.engine, "web")
    with listening(harbour) as changes:
        lan.run("host", ["nft", "add", "table", "inet", "theirs"])
        with agent(harbour, changes) as process:
            assert process.communicate(timeout=20)[0] == ""
        assert process.returncode == 0
    assert not is_there(harbour.engine.paths.instance)
