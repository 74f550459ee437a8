# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The LAN itself: what other tests take for granted."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, ADDRESSES6, NAMES, Lan


def test_everybody_reaches_everybody(lan: Lan) -> None:
    for place in NAMES:
        for protocol in ("tcp", "udp"):
            lan.serve(place, protocol, "0.0.0.0", 80, f"{place} 4 {protocol}")
            lan.serve(place, protocol, "::", 80, f"{place} 6 {protocol}")
    probes = [
        (place, protocol, addresses[target], 80)
        for place in NAMES
        for protocol in ("tcp", "udp")
        for addresses in (ADDRESSES, ADDRESSES6)
        for target in NAMES
    ]
    expected = [
        f"open:{target} {version} {protocol}"
        for _place in NAMES
        for protocol in ("tcp", "udp")
        for version in (4, 6)
        for target in NAMES
    ]
    assert lan.probe_all(probes, timeout=5) == expected


def test_a_server_knows_who_asked(lan: Lan) -> None:
    served = lan.serve("other", "tcp", "0.0.0.0", 0, "hello")
    assert lan.probe("neighbour", "tcp", ADDRESSES["other"], served.port) == "open:hello"
    assert served.peers == [ADDRESSES["neighbour"]]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_closed_and_silent_ports_differ(lan: Lan, protocol: str) -> None:
    assert lan.probe("neighbour", protocol, ADDRESSES["host"], 81) == "refused"
    rule = "add table inet t; add chain inet t c { type filter hook input priority 0; policy drop; }"
    lan.run("host", ["nft", rule])
    assert lan.probe("neighbour", protocol, ADDRESSES["host"], 81, timeout=0.3) == "filtered"


def test_a_place_without_a_way(lan: Lan) -> None:
    lan.run("neighbour", ["ip", "route", "del", "default"])
    assert lan.probe("neighbour", "tcp", ADDRESSES["other"], 80) == "filtered"


def test_the_host_does_not_forward_until_told_so(lan: Lan) -> None:
    """A direct routing attack: the neighbour takes the host for the way to somewhere else."""
    lan.serve("other", "tcp", "0.0.0.0", 80, "hello")
    lan.run("neighbour", ["ip", "route", "replace", "default", "via", ADDRESSES["host"]])
    assert lan.probe("neighbour", "tcp", ADDRESSES["other"], 80, timeout=0.3) == "filtered"
    lan.sysctl("host", "ipv4/ip_forward", "1")
    assert lan.probe("neighbour", "tcp", ADDRESSES["other"], 80, timeout=5) == "open:hello"


def test_threads_and_programs_follow_onto_the_host(lan: Lan, host: str) -> None:
    with lan.inside("host"):
        there = os.readlink("/proc/thread-self/ns/net")
    seen = [
        os.readlink("/proc/thread-self/ns/net"),
        subprocess.run(
            ["readlink", "/proc/self/ns/net"], capture_output=True, text=True, check=True
        ).stdout.strip(),
    ]
    thread = threading.Thread(target=lambda: seen.append(os.readlink("/proc/thread-self/ns/net")))
    thread.start()
    thread.join()
    assert seen == [there] * 3


def test_an_engine_is_on_the_host(lan: Lan, harbour: Harbour) -> None:
    harbour.start("web", "sleep", "60")
    run = harbour.record("web").state.run
    assert run is not None
    assert run.conmon is not None
    with lan.inside("host"):
        there = os.readlink("/proc/thread-self/ns/net")
    assert run.conmon.pid in lan.processes()
    assert os.readlink("/proc/self/ns/net") == there


def test_programs_there_end_with_it() -> None:
    with Lan() as lan:
        with lan.inside("neighbour"):
            sleeper = subprocess.Popen(["sleep", "60"])
        assert lan.processes() == [sleeper.pid]
    assert sleeper.wait(5) == -9


def test_a_thread_comes_back(lan: Lan) -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with lan.inside("router"):
        assert os.readlink("/proc/thread-self/ns/net") != before
    assert os.readlink("/proc/thread-self/ns/net") == before
