# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Do running containers have what they need of the host's network, and is there anything of ours that nobody
needs?
"""

from __future__ import annotations

import functools
import typing as t

from ..errors import TimedOut
from ..linux.locks import lock
from .findings import Finding
from .look_after_network import lost_firewall, lost_names

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .findings import Findings


def check_networks(engine: Engine) -> Findings:
    from .update_firewall import update_firewall
    from .update_names import update_names

    lost = lost_firewall(engine)
    if lost:
        yield Finding(f"the firewall of the containers: {lost}", functools.partial(update_firewall, engine))
    lost = lost_names(engine)
    if lost:
        yield Finding(f"the names of the containers: {lost}", functools.partial(update_names, engine))
    stray = _stray_links(engine)
    if stray:
        yield Finding(f"links of no container: {', '.join(stray)}", functools.partial(_sweep, engine))


def _stray_links(engine: Engine) -> list[str]:
    """While somebody changes links, none of them is a stray."""
    if not _can_see_links():
        return []
    from ..network.bridges import stray_links
    from .network_snapshot import network_snapshot

    try:
        with lock(engine.paths, "network", timeout=0):
            return stray_links(network_snapshot(engine))
    except TimedOut:
        return []


def _can_see_links() -> bool:
    """A host without pyroute2 has never had networks."""
    import importlib.util

    return importlib.util.find_spec("pyroute2") is not None


def _sweep(engine: Engine) -> None:
    from ..network.bridges import sweep_links
    from .network_snapshot import network_snapshot

    with lock(engine.paths, "network"):
        sweep_links(network_snapshot(engine))
