# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Have somebody there when a log segment is full (container/log_segments.py). Only for conmon before 2.2.

Where systemd runs it is systemd itself: a path unit waits for an entry in one directory, costs nothing, and
starts the keeper for as long as segments fill up. The units lie in /run, like everything that they are
about, and go with a reboot. Elsewhere one keeper waits while there are containers that log.

    /run/systemd/system/<instance>-logs.{path,service}
    <run root>/log-keeper     the keeper's process; it holds a flock on this file while it works
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
import typing as t

from ..container.host_files import write_plain
from ..linux import cgroups
from ..linux.processes import ProcessIdentity, identity, signal_process, wait_until_gone
from ..linux.programs import run, spawn
from .clear_idle_host import clear_idle_host_from_inside, is_idle
from .install_agent import agent_command

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..paths import Paths

QUIET_TIME = 5.0  # seconds without a full segment after which a keeper that systemd has started ends
_UNITS = "/run/systemd/system"
_END_TIMEOUT = 5.0
_ATTEMPTS, _PAUSE = 5, 0.01


@contextlib.contextmanager
def logs_watched(engine: Engine) -> t.Iterator[None]:
    """Somebody is there for the log that is armed in the block. A keeper starts up while the block works."""
    if os.path.isdir(_UNITS):
        _watch_by_systemd(engine)
        yield
        return
    starting = None if _keeper(engine.paths) else spawn([*agent_command(engine), "keep-logs"])
    try:
        yield
    finally:
        if starting is not None:
            starting.wait()
    keeper = _keeper(engine.paths)
    if keeper is not None:
        signal_process(keeper, signal.SIGIO)


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


def _keeper(paths: Paths) -> ProcessIdentity | None:
    """Whoever holds the flock, if anybody does."""
    try:
        fd = os.open(_keeper_file(paths), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        pid = os.read(fd, 16)
        return identity(int(pid)) if pid.isdigit() else None
    finally:
        os.close(fd)


def keep_logs(engine: Engine) -> None:
    """Become the keeper in the background, unless there is one; it ends when no container runs any more."""
    fd = _become_keeper(engine.paths)
    if fd is None:
        return
    cgroups.take_over(os.getpid(), f"{engine.paths.cgroup_parent}/conmon")
    child = os.fork()
    if child:
        _write_pid(fd, child)
    else:
        _keep(engine, fd)


def _keep(engine: Engine, fd: int | None) -> None:
    """Whoever has started a container while we were ending has seen us alive, and relies on us."""
    from ..container.log_keeper import LogKeeper

    while fd is not None:
        LogKeeper(engine.paths, None).run()
        os.close(fd)
        if is_idle(engine):
            # If we came up only after the last removal, nobody else would take away the group that we made.
            clear_idle_host_from_inside(engine)
            return
        fd = _become_keeper(engine.paths)
        if fd is not None:
            _write_pid(fd, os.getpid())


def rotate_logs(engine: Engine) -> None:
    """Do what there is to do, and stay while more comes."""
    from ..container.log_keeper import LogKeeper

    LogKeeper(engine.paths, QUIET_TIME).run()


def wait_for_keeper(engine: Engine) -> None:
    """When no container runs any more the keeper ends by itself; return when it has."""
    keeper = _keeper(engine.paths)
    if keeper is not None and keeper.pid != os.getpid():
        signal_process(keeper, signal.SIGIO)
        wait_until_gone(keeper, _END_TIMEOUT)


def _become_keeper(paths: Paths) -> int | None:
    """The descriptor with the flock, which a forked child shares; None: somebody else has it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    fd = os.open(_keeper_file(paths), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    for _attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            time.sleep(_PAUSE)  # somebody may only be looking whether there is a keeper
    os.close(fd)
    return None


def _write_pid(fd: int, pid: int) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(pid).encode(), 0)


def _keeper_file(paths: Paths) -> str:
    return os.path.join(paths.run_root, "log-keeper")
