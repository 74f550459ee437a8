# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Leave this engine on the host: exits, reboots and logs have to be handled when no task is there.

    <root>/agent/<version>/coracle.pyz    the engine as a zipapp, sources and compiled; never changed
    <root>/agent/current                  symbolic link to the version in force, switched in one rename
    <root>/agent/known/<fingerprint>      symbolic link to the version that was built from sources like these

The sources are those that this code itself was imported from: the payload of an Ansible task, a checkout,
or the zipapp. A running agent holds a shared flock on its zipapp, which outlives the switch; versions that
nobody holds are removed, the last one before `current` excepted (somebody may be about to open it). Lock:
`agent`. A crash leaves a version that nothing points to; the next installation removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import typing as t

from ..linux.files import fsync_directory, make_private_directory, write_atomically
from ..linux.locks import lock
from ..linux.trees import remove_tree

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..paths import Paths

ARCHIVE = "coracle.pyz"
_CURRENT, _KNOWN = "current", "known"


def exit_command(engine: Engine, container_id: str, nonce: str) -> list[str]:
    """What conmon runs when the container has ended; the agent is installed for it if need be."""
    return [*agent_command(engine), "exited", container_id, nonce]


def agent_command(engine: Engine) -> list[str]:
    """The agent of this engine, installed if need be, ready for a verb."""
    install_agent(engine)
    paths = engine.paths
    archive = os.path.join(paths.agent, _CURRENT, ARCHIVE)
    return [sys.executable, "-I", "-S", archive, "--root", paths.root, "--run-root", paths.run_root]


def install_agent(engine: Engine) -> None:
    """Make this engine the one in force on the host; a few looks if it is already."""
    from .build_agent import fingerprint

    paths = engine.paths
    name = fingerprint()
    version = _link(paths, _KNOWN, name)
    if version and os.path.basename(version) == _link(paths, _CURRENT):
        return
    with lock(paths, "agent"):
        _install(paths, name)


def _install(paths: Paths, name: str) -> None:
    from .build_agent import build_agent

    known = os.path.join(paths.agent, _KNOWN)
    make_private_directory(known)
    version = os.path.basename(_link(paths, _KNOWN, name))
    if not os.path.exists(os.path.join(paths.agent, version or ".", ARCHIVE)):
        archive = build_agent()
        version = hashlib.sha256(archive).hexdigest()[:16]
        make_private_directory(os.path.join(paths.agent, version))
        write_atomically(os.path.join(paths.agent, version, ARCHIVE), archive)
        _replace_link(os.path.join(known, name), os.path.join("..", version))
    before = _link(paths, _CURRENT)
    _replace_link(os.path.join(paths.agent, _CURRENT), version)
    _remove_unused(paths, {version, before})


def _link(paths: Paths, *names: str) -> str:
    """Where a link below the agent's directory leads; empty if there is none."""
    try:
        return os.readlink(os.path.join(paths.agent, *names))
    except OSError:
        return ""


def _replace_link(path: str, target: str) -> None:
    new = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    os.symlink(target, new)
    os.rename(new, path)
    fsync_directory(os.path.dirname(path))


def _remove_unused(paths: Paths, kept: t.Container[str]) -> None:
    for version in os.listdir(paths.agent):
        path = os.path.join(paths.agent, version)
        if (
            version not in (_CURRENT, _KNOWN)
            and version not in kept
            and not _is_held(os.path.join(path, ARCHIVE))
        ):
            remove_tree(path)
    known = os.path.join(paths.agent, _KNOWN)
    for name in os.listdir(known):
        if not os.path.exists(os.path.join(known, name)):
            os.unlink(os.path.join(known, name))


def hold(archive: str) -> int:
    """Keep this version while the descriptor is open: for a running agent."""
    fd = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def _is_held(archive: str) -> bool:
    try:
        fd = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
