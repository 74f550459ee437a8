# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Firewall and names follow from the state file: bring them up to date when a container begins, ends, or
changes.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..engine import Engine


def refresh_network(engine: Engine) -> None:
    """Cheap if nothing has changed. Takes the lock `network`; what the user should know becomes a warning of
    the engine.
    """
    from .update_firewall import update_firewall
    from .update_names import update_names

    update_firewall(engine)
    engine.warn(*update_names(engine))
