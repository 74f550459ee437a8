# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What it takes to start or end a container, brought to mind once by who is about to fork a crew for many.

Verbs import what they need when they need it, which a task for one container pays once. Each job of a crew
would pay it again, and look again at what is the same for all: half of the time that a start takes.
"""

from __future__ import annotations

import importlib
import typing as t

from ..errors import collecting

if t.TYPE_CHECKING:
    from ..engine import Engine

_VERBS = (
    ".create_container",
    ".default_network",
    ".start_container",
    ".remove_container",
    ".wait_for_containers",
)
_LATER = (
    "..container.conmon",
    "..container.logs",
    "..container.mount_places",
    "..container.spec",
    "..layers.snapshots",
    ".attach_network",
    ".attach_volumes",
    ".create_volume",
    ".fill_volume",
    ".install_firewall_unit",
    ".join_namespaces",
    ".mounted_root",
    ".spec_of_container",
    ".watch_logs",
    ".write_host_files",
)
"""What those import on their way, and so do their networks."""
_NETWORK = (
    "..network.conntrack",
    "..network.endpoints",
    "..network.firewall",
    ".refresh_network",
    ".update_firewall",
    ".update_names",
)


def load_verbs(engine: Engine, *, network: bool) -> None:
    """`network`: containers will be on networks of the engine. What is not right on this host is for the
    verbs to say, each for its container.
    """
    for name in (*_VERBS, *_LATER, *(_NETWORK if network else ())):
        importlib.import_module(name, __package__)
    with collecting([]):
        _look_around(engine, network=network)


def _look_around(engine: Engine, *, network: bool) -> None:
    """Answers that are kept in memory."""
    from ..container.conmon import rotates_logs
    from ..container.host_facts import read_host_facts
    from ..linux.programs import find_program

    read_host_facts()
    rotates_logs(find_program(engine.conmon))
    if network:
        from ..network.links import load_messages

        load_messages()
