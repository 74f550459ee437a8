# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Firewall and names follow from the state file: bring them up to date when a container begins, ends, or
changes.
"""

from __future__ import annotations

import typing as t

from ..linux.locks import lock

if t.TYPE_CHECKING:
    from ..engine import Engine


def refresh_network(engine: Engine) -> None:
    """Cheap if nothing has changed. Takes the lock `network`; what the user should know becomes a warning of
    the engine.
    """
    from .network_snapshot import network_view
    from .update_firewall import update_firewall_locked
    from .update_names import update_names_locked

    with lock(engine.paths, "network"):
        view = network_view(engine)
        update_firewall_locked(engine, view[0])
        engine.warn(*update_names_locked(engine, view))
