# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Make the firewall table, and forwarding, what the state asks for."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..linux.locks import lock
from ..network import forwarding, nftables
from ..network.firewall import HostFacts, bridge_of, port_mark, render, targets, used_bridges
from .look_at_host_firewall import open_host_firewall
from .network_snapshot import network_snapshot

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..network.model import Snapshot
    from ..network.ruleset import Ruleset


def update_firewall(engine: Engine) -> None:
    """Callable by anybody at any time; costs one look when nothing has changed."""
    with lock(engine.paths, "network"):
        update_firewall_locked(engine)


def update_firewall_locked(engine: Engine, snapshot: Snapshot | None = None) -> None:
    """The same for those who hold the lock `network`, and may have taken a snapshot since.

    Nothing is forwarded before the table is there; connections that it would lead elsewhere are forgotten
    after it is.
    """
    snapshot = snapshot or network_snapshot(engine)
    versions = _forwarded(snapshot)
    forwarding.remember_interfaces(_record(engine), versions, _own_links(snapshot))
    ruleset = render(snapshot, _host_facts(engine, snapshot))
    with _connections(engine, snapshot, ruleset):
        if ruleset is None:
            forwarding.switch_off(_record(engine))
            nftables.remove(snapshot.instance)
        elif not nftables.is_applied(ruleset):
            nftables.apply(ruleset)
        forwarding.switch_on(versions)
    open_host_firewall(engine, snapshot, used_bridges(snapshot))


def _connections(engine: Engine, snapshot: Snapshot, ruleset: Ruleset | None) -> t.ContextManager[None]:
    """What the kernel remembers of connections follows the block, if the published ports are to change."""
    leads = targets(snapshot)
    if ruleset is None:
        changing = nftables.is_there(snapshot.instance)
    else:
        changing = not nftables.has_chain(snapshot.instance, port_mark(leads, snapshot.draining))
    if not changing:
        return contextlib.nullcontext()
    from ..network.conntrack import following

    record = os.path.join(engine.paths.run_root, "conntrack")
    return following(record, leads, snapshot.networks, snapshot.draining)


def _record(engine: Engine) -> str:
    return os.path.join(engine.paths.run_root, "forwarding")


def _forwarded(snapshot: Snapshot) -> set[int]:
    """The IP versions in which somebody has a way out of the host."""
    networks = [network for network in used_bridges(snapshot) if not network.internal]
    return {pool.version for network in networks for pool in network.pools}


def _own_links(snapshot: Snapshot) -> set[str]:
    return {bridge_of(network) for network in snapshot.networks}


def _host_facts(engine: Engine, snapshot: Snapshot) -> HostFacts:
    closed = forwarding.recorded(_record(engine))
    if closed and not used_bridges(snapshot):
        now = set(forwarding.foreign_interfaces(_own_links(snapshot)))
        if all(now.issubset(names) for names in closed.values()):
            closed = {}
    return HostFacts(closed, forwarding.loopback6_works())
