# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What running containers need of the host, and what of it somebody has taken away: a flushed ruleset,
forwarding switched off, a DNS server that was killed; or a change of a network that has stopped half-way.

Only looks, takes no lock and starts no program: every task does it. `update_firewall` and `update_names` make
it whole. Only containers that were let go count: from then on all of it has been there, while one that is
being started is the business of whoever starts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ..container.records import ContainerState
from ..errors import StateError
from ..linux.locks import is_held
from ..linux.processes import boot_id
from ..network.model import BRIDGE, Network
from ..network.records import find_network

if t.TYPE_CHECKING:
    from ..engine import Engine


def lost_firewall(engine: Engine) -> str:
    """What is missing, as the end of a sentence; empty if nothing is."""
    lost = _lost_firewall(engine, networks_in_use(engine))
    # The last container may have ended between the two looks, and taken all of it along.
    return lost and _lost_firewall(engine, networks_in_use(engine))


def lost_names(engine: Engine) -> str:
    """The same for the DNS server."""
    if not os.path.isdir(engine.paths.dns):
        return ""
    from ..network.name_server import is_lost

    # Asked in this order: with the last container the server ends, too.
    if is_lost(engine.paths) and any(network.dns for network in networks_in_use(engine)):
        return "the DNS server has ended"
    return ""


def unfinished_networks(engine: Engine) -> list[str]:
    """Names of those that a task has begun to change and will not finish: nobody is at it."""
    if not _unfinished(engine) or is_held(engine.paths, "network"):
        return []
    return _unfinished(engine)  # it may have been finished between the two looks


def _unfinished(engine: Engine) -> list[str]:
    rows = engine.records.read().all("SELECT name, record FROM networks ORDER BY name")
    found = []
    for row in rows:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            found += [row["name"]] if Network.from_json(row["record"]).unfinished else []
    return found


def networks_in_use(engine: Engine) -> list[Network]:
    """Bridges with a container on them that was let go since the host was started."""
    rows = engine.records.read().all(
        "SELECT e.network, c.state FROM endpoints e JOIN containers c ON c.id = e.container_id"
        " ORDER BY e.network"
    )
    found = []
    for name in dict.fromkeys(row["network"] for row in rows if _was_let_go(row["state"])):
        with contextlib.suppress(StateError):  # a damaged record is told by whoever acts on the network
            network = find_network(engine.records.read(), name)
            found += [network] if network and network.driver == BRIDGE else []
    return found


def _was_let_go(state: str) -> bool:
    """A record that is damaged says nothing here; whoever acts on it says so."""
    try:
        run = ContainerState.from_json(json.loads(state)).run
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return run is not None and bool(run.started_at) and run.boot_id == boot_id()


def _lost_firewall(engine: Engine, networks: t.Sequence[Network]) -> str:
    if not networks:
        return ""
    from ..network.forwarding import is_on
    from ..network.nftables import is_there

    table = engine.paths.instance
    if not is_there(table):
        return f"the table inet {table} has gone"
    outgoing = {pool.version for network in networks if not network.internal for pool in network.pools}
    off = [f"IPv{version}" for version in sorted(outgoing) if not is_on(version)]
    if off:
        return f"forwarding of {' and '.join(off)} is off"
    closed = _closed(engine, networks)
    return f"the host's own firewall stops network {' and '.join(closed)} again" if closed else ""


def _closed(engine: Engine, networks: t.Sequence[Network]) -> list[str]:
    if not any(network.open_host_firewall for network in networks):
        return []
    from .look_at_host_firewall import closed_networks

    return closed_networks(engine, networks)
