# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Have systemd start containers at boot and stop them at shutdown. Other init systems call the agent
themselves.

    /etc/systemd/system/<instance>.service                          written by the first start of a
    container that /etc/systemd/system/multi-user.target.wants/<instance>.service  its policy wants up after
    a boot <run root>/restored                                             the boot in which `restore` was
    done, or not needed

Enabling is a symbolic link, which is all that `systemctl enable` makes. The unit is also started, since
systemd stops at shutdown only what it has started; that this boot counts as restored keeps it from starting
what a user had stopped.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.host_files import write_plain
from ..linux.files import fsync_directory, read_bounded, write_atomically
from ..linux.locks import lock
from ..linux.processes import boot_id
from ..linux.programs import run
from .install_agent import agent_command

if t.TYPE_CHECKING:
    from ..engine import Engine

UNITS = "/etc/systemd/system"
_RUNNING = "/run/systemd/system"  # sd_booted(3)
_LARGEST = 1 << 16
BOOT_POLICIES = ("always", "unless-stopped")


def install_boot_unit(engine: Engine) -> None:
    """One look if it is there already, or if there is no systemd."""
    if not os.path.isdir(_RUNNING):
        return
    name = f"{engine.paths.instance}.service"
    text = unit_text(engine).encode()
    if _is_installed(name, text):
        return
    with lock(engine.paths, "agent"):
        mark_restored(engine)
        write_atomically(os.path.join(UNITS, name), text, 0o644)
        wants = os.path.join(UNITS, "multi-user.target.wants")
        os.makedirs(wants, mode=0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(os.path.join("..", name), os.path.join(wants, name))
        fsync_directory(wants)
        run(["systemctl", "daemon-reload"])
        run(["systemctl", "start", "--no-block", name])


def unit_text(engine: Engine) -> str:
    """Containers come up after the network and what is mounted over it, and are stopped before these go."""
    paths = engine.paths
    agent = " ".join(f'"{_escaped(word)}"' for word in agent_command(engine))
    return f"""\
[Unit]
Description=Coracle containers of {_escaped(paths.root)}
Wants=network-online.target
After=network-online.target remote-fs.target nss-lookup.target nftables.service firewalld.service
RequiresMountsFor={_escaped(paths.root).replace(" ", chr(92) + "x20")}

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


def _is_installed(name: str, text: bytes) -> bool:
    try:
        there = read_bounded(os.path.join(UNITS, name), _LARGEST) == text
    except FileNotFoundError:
        return False
    return there and os.path.lexists(os.path.join(UNITS, "multi-user.target.wants", name))


def _escaped(text: str) -> str:
    """systemd.syntax(7): percent is a specifier, the rest is meant inside double quotes."""
    return text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
