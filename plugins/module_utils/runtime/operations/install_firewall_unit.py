# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Have systemd listen for changes of the kernel's firewall, and start the agent when there are some: whoever
flushes the ruleset (`nft flush ruleset`, a restart of nftables.service) takes the engine's table along.

    <instance>-firewall.socket     a netlink socket that systemd holds; enabled
    <instance>-firewall.service    `look-after-firewall` of the agent, with that socket (guard_firewall.py)

So nothing of ours runs while nothing happens.
"""

from __future__ import annotations

import typing as t

from ..errors import CoracleError
from ..linux.locks import lock
from ..linux.programs import run
from .install_agent import agent_command
from .systemd_units import Unit, as_path, command_line, escaped, install_units, is_installed, systemd_runs

if t.TYPE_CHECKING:
    from ..engine import Engine

_GROUP = 1 << 6  # NFNLGRP_NFTABLES, as a mask


def install_firewall_unit(engine: Engine) -> None:
    """One look if it is there already, or if there is no systemd. What keeps it from being installed keeps no
    container from starting: the next task repairs what it would have.
    """
    if not systemd_runs():
        return
    units = firewall_units(engine)
    if all(is_installed(unit) for unit in units):
        return
    try:
        with lock(engine.paths, "agent"):
            install_units(*units)
            run(["systemctl", "restart", units[0].name])
    except CoracleError as error:
        engine.warn(f"the firewall of containers is repaired by tasks only, not at once: {error}")


def firewall_units(engine: Engine) -> tuple[Unit, Unit]:
    """The largest number of changes that may wait is far above what one transaction can bring: systemd gives
    a socket up that has lost some.
    """
    paths = engine.paths
    name = f"{paths.instance}-firewall"
    socket = f"""\
[Unit]
Description=Changes of the firewall under the Coracle containers of {escaped(paths.root)}

[Socket]
ListenNetlink=netfilter {_GROUP}
ReceiveBuffer=64M
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
"""
    service = f"""\
[Unit]
Description=The firewall under the Coracle containers of {escaped(paths.root)}
RequiresMountsFor={as_path(paths.root)}
StartLimitIntervalSec=0

[Service]
ExecStart={command_line([*agent_command(engine), "look-after-firewall"])}
LogLevelMax=notice
"""
    return Unit(f"{name}.socket", socket, "sockets.target"), Unit(f"{name}.service", service)
