# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Have systemd start containers at boot and stop them at shutdown. Other init systems call the agent
themselves.

    <instance>.service       written by the first start of a container that its policy wants up after a boot
    <run root>/restored      the boot in which `restore` was done, or not needed

The unit is also started, since systemd stops at shutdown only what it has started; that this boot counts as
restored keeps it from starting what a user had stopped.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.host_files import write_plain
from ..linux.files import read_bounded
from ..linux.locks import lock
from ..linux.processes import boot_id
from ..linux.programs import run
from .install_agent import agent_command
from .systemd_units import Unit, as_path, command_line, escaped, install_units, is_installed, systemd_runs

if t.TYPE_CHECKING:
    from ..engine import Engine

_LARGEST = 1 << 16
BOOT_POLICIES = ("always", "unless-stopped")


def install_boot_unit(engine: Engine) -> None:
    """One look if it is there already, or if there is no systemd."""
    if not systemd_runs():
        return
    unit = Unit(f"{engine.paths.instance}.service", unit_text(engine), "multi-user.target")
    if is_installed(unit):
        return
    with lock(engine.paths, "agent"):
        mark_restored(engine)
        install_units(unit)
        run(["systemctl", "start", "--no-block", unit.name])


def unit_text(engine: Engine) -> str:
    """Containers come up after the network and what is mounted over it, and are stopped before these go."""
    paths = engine.paths
    agent = command_line(agent_command(engine))
    return f"""\
[Unit]
Description=Coracle containers of {escaped(paths.root)}
Wants=network-online.target
After=network-online.target remote-fs.target nss-lookup.target nftables.service firewalld.service
RequiresMountsFor={as_path(paths.root)}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={agent} restore
ExecStop={agent} shutdown
TimeoutStartSec=infinity
TimeoutStopSec=15min

[Install]
WantedBy=multi-user.target
"""


def mark_restored(engine: Engine) -> None:
    write_plain(_mark(engine), boot_id().encode(), 0o600)


def forget_restored(engine: Engine) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_mark(engine))


def is_restored(engine: Engine) -> bool:
    """Has somebody already started in this boot what shall run?"""
    try:
        return read_bounded(_mark(engine), _LARGEST) == boot_id().encode()
    except FileNotFoundError:
        return False


def _mark(engine: Engine) -> str:
    return os.path.join(engine.paths.run_root, "restored")
