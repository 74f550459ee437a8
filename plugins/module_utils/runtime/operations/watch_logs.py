# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Have somebody there when a log segment is full (container/log_segments.py). Only for conmon before 2.2.

Where systemd runs it is systemd itself: a path unit waits for an entry in one directory, costs nothing, and
starts the keeper for as long as segments fill up. The units lie in /run, like everything that they are
about, and go with a reboot. Elsewhere one keeper waits while there are containers that log.

    /run/systemd/system/<instance>-logs.{path,service}
    <run root>/log-keeper     the keeper's process (keeper.py)
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.host_files import write_plain
from ..linux.programs import run, spawn
from .clear_idle_host import clear_idle_host_from_inside, is_idle
from .install_agent import agent_command
from .keeper import LOGS, find_keeper, keep, wake_keeper

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..paths import Paths

QUIET_TIME = 5.0  # seconds without a full segment after which a keeper that systemd has started ends
_UNITS = "/run/systemd/system"


@contextlib.contextmanager
def logs_watched(engine: Engine) -> t.Iterator[None]:
    """Somebody is there for the log that is armed in the block. A keeper starts up while the block works."""
    if os.path.isdir(_UNITS):
        _watch_by_systemd(engine)
        yield
        return
    starting = None if find_keeper(engine.paths, LOGS) else spawn([*agent_command(engine), "keep-logs"])
    try:
        yield
    finally:
        if starting is not None:
            starting.wait()
    wake_keeper(engine.paths, LOGS)


# systemd


def _watch_by_systemd(engine: Engine) -> None:
    name = f"{engine.paths.instance}-logs"
    units = {f"{name}.path": _path_unit(engine.paths), f"{name}.service": _service_unit(engine)}
    changed = [file for file, text in units.items() if _content(os.path.join(_UNITS, file)) != text]
    if not changed:
        return
    for file in changed:
        write_plain(os.path.join(_UNITS, file), units[file].encode(), 0o644)
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "restart", f"{name}.path"])


def _path_unit(paths: Paths) -> str:
    return f"""\
[Unit]
Description=Full log segments of containers below {paths.root}

[Path]
DirectoryNotEmpty={paths.root}/logs
TriggerLimitIntervalSec=0
"""


def _service_unit(engine: Engine) -> str:
    command = " ".join(f'"{word}"' for word in [*agent_command(engine), "rotate-logs"])
    return f"""\
[Unit]
Description=Name full log segments of containers below {engine.paths.root}
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
"""


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


# A keeper of our own


def keep_logs(engine: Engine) -> None:
    """Become the keeper in the background, unless there is one; it ends when no container runs any more."""
    from ..container.log_keeper import LogKeeper

    def is_done() -> bool:
        if is_idle(engine):
            # If we came up only after the last removal, nobody else would take away the group that we made.
            clear_idle_host_from_inside(engine)
            return True
        return False

    keep(engine, LOGS, lambda: LogKeeper(engine.paths, None).run(), is_done)


def rotate_logs(engine: Engine) -> None:
    """Do what there is to do, and stay while more comes."""
    from ..container.log_keeper import LogKeeper

    LogKeeper(engine.paths, QUIET_TIME).run()
