# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The network of containers that name none: made when the first of them is."""

from __future__ import annotations

import typing as t

from ..errors import doing
from ..network.model import DEFAULT_NETWORK, Network
from ..network.options import NetworkOptions
from ..network.records import find_network
from .create_network import add_network, look_at_host

if t.TYPE_CHECKING:
    from ..engine import Engine

OPTIONS = NetworkOptions(dns=False)
"""Names are for those who ask for a network: as Docker and Podman have it."""


def ensure_default_network(engine: Engine) -> Network:
    """As it is, if it is there: a task of the module network may have made it, with other options. Not to be
    called in a transaction.
    """
    found = find_network(engine.records.read(), DEFAULT_NETWORK)
    if found is not None:
        return found
    with doing(f"create network {DEFAULT_NETWORK}"):
        view = look_at_host()
        with engine.database.transaction() as transaction:
            found = find_network(transaction, DEFAULT_NETWORK)
            return found or add_network(transaction, engine, DEFAULT_NETWORK, OPTIONS, view)
