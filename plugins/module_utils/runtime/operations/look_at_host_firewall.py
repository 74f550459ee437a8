# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Say what the host's own firewall keeps from networks, and how it can be told to let them through; or tell
it, for networks whose task has asked for that (`open_host_firewall`).

Chains of others are touched for these networks only, and by their owner's own program: firewalld and ufw keep
what they are told; what is put into chains of Docker, iptables or nft is put there again by whatever makes
the engine's table whole (look_after_network.py). It is taken back when the network goes, or its task no
longer asks for it.
"""

from __future__ import annotations

import typing as t

from ..errors import CoracleError
from ..network.model import BRIDGE
from .network_snapshot import network_snapshot

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..network.host_firewalls import Command
    from ..network.host_policy import Obstacle
    from ..network.model import Network, Snapshot

_TIMEOUT = 120  # seconds; firewalld may be busy


def host_firewall_warnings(engine: Engine, networks: t.Iterable[str]) -> list[str]:
    """A sentence for each chain that is in the way of one of the networks, by name. On a host without rules
    of others this is one look.
    """
    from ..network.host_policy import host_chains

    names = set(networks)
    try:
        if not names or not host_chains(engine.paths.instance):
            return []
    except OSError:  # no nf_tables
        return []
    snapshot = network_snapshot(engine)
    bridges = [network for network in snapshot.networks if network.name in names and network.driver == BRIDGE]
    return [_warning(engine, obstacle) for obstacle in _obstacles(snapshot, bridges)]


def loopback_warnings(engine: Engine, container_id: str) -> list[str]:
    """Of a container that has published ports on `::1`: can they be reached?

    With br_netfilter they cannot. An answer gets its destination, `::1`, back while it is on the bridge; the
    host refuses `::1` from any device, and does not ask the firewall twice.
    """
    from ..network.forwarding import loopback6_works
    from ..network.records import ports_of

    rows = engine.records.read()
    ports = [port.host_port for port in ports_of(rows, container_id) if port.host_ip == "::1"]
    if not ports or loopback6_works():
        return []
    numbers = ", ".join(map(str, sorted(set(ports))))
    return [
        f"what is published on ::1 (port {numbers}) cannot be reached: net.bridge.bridge-nf-call-ip6tables is"
        " 1 on this host (set it to 0, or publish on 127.0.0.1 or another address of the host)"
    ]


def closed_networks(engine: Engine, networks: t.Sequence[Network]) -> list[str]:
    """Names of those that the host's firewall is to be opened for, and is not."""
    asking = [network for network in networks if network.open_host_firewall]
    if not asking:
        return []
    found = _obstacles(network_snapshot(engine), asking)
    return list(dict.fromkeys(obstacle.network.name for obstacle in found))


def open_host_firewall(engine: Engine, snapshot: Snapshot, networks: t.Iterable[Network]) -> None:
    """For those networks that ask for it and need it. With the lock `network` held. What does not work is
    said by `host_firewall_warnings` as if nobody had tried, with the reason as a warning of the engine.
    """
    asking = [network for network in networks if network.open_host_firewall]
    for obstacle in _obstacles(snapshot, asking) if asking else ():
        try:
            for command in _commands(engine, obstacle):
                _run(command)
        except CoracleError as error:
            engine.warn(f"network {obstacle.network.name}: open the host's firewall: {error}")


def close_host_firewall(engine: Engine, network: Network) -> None:
    """Take back whatever was opened for the network. Fine if nothing was. With the lock `network` held."""
    from ..network.host_firewalls import NFT, Opening, nft_removal, taking_back
    from ..network.host_policy import host_chains, marked_rules

    done: set[Command] = set()
    mark = engine.paths.instance
    for chain in host_chains(mark) if network.driver == BRIDGE else ():
        commands = taking_back(Opening(chain, network.bridge, names=True, answers=True, mark=mark))
        if chain.kind == NFT:
            handles = marked_rules(chain, network.bridge, mark)
            commands = [nft_removal(chain, handle) for handle in handles]
        for command in commands:
            if command not in done:
                done.add(command)
                _run(command, check=False)  # most have never been given


def _obstacles(snapshot: Snapshot, networks: t.Sequence[Network]) -> list[Obstacle]:
    from ..network.firewall import targets
    from ..network.host_policy import obstacles

    try:
        return obstacles(snapshot, networks, targets(snapshot)) if networks else []
    except OSError:  # somebody changes the rules while they are read: what is said then may be wrong
        return []


def _warning(engine: Engine, obstacle: Obstacle) -> str:
    from ..network.host_firewalls import sentence

    stopped = " and ".join(obstacle.purposes)
    commands = _commands(engine, obstacle)
    way = f"let it through: {sentence(commands)}" if commands else "let it through there"
    name = obstacle.network.name
    return (
        f"network {name}: the host's own firewall stops {stopped}, in {obstacle.chain} ({way}; or set"
        f" open_host_firewall: true in a task of module network that describes {name})"
    )


def _commands(engine: Engine, obstacle: Obstacle) -> list[Command]:
    from ..network.firewall import bridge_of
    from ..network.host_firewalls import Opening, commands
    from ..network.journeys import NAMES

    bridge = bridge_of(obstacle.network)
    names = NAMES in obstacle.purposes
    return commands(Opening(obstacle.chain, bridge, names, obstacle.answers, engine.paths.instance))


def _run(command: Command, check: bool = True) -> None:
    from ..linux.programs import run

    run(list(command), timeout=_TIMEOUT, check=check)
