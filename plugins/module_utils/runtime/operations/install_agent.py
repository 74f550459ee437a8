# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Leave this engine on the host: exits, reboots and logs have to be handled when no task is there.

    <root>/agent/<version>/coracle.pyz      the engine; its SHA-256 is the version, so it never changes
    <root>/agent/<version>/cpython-311.zip  what one Python has compiled of it
    <root>/agent/current                    symbolic link to the version in force, switched in one rename
    <root>/agent/known/<fingerprint>        symbolic link to the version that sources like these are part of
    <root>/agent/coracle                    the command for people (install_command.py)

The sources are those that this code itself was imported from: a version that is here, the payload of an
Ansible task, or a checkout. Whoever runs from a version holds a shared flock on its coracle.pyz, which
outlives the switch; versions that nobody holds are removed, the last one before `current` excepted
(somebody may be about to open it). Lock: `agent`. A crash leaves a version that nothing points to; the next
installation removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import typing as t
import zipfile
import zlib

from ..linux.files import fsync_directory, make_private_directory, write_atomically
from ..linux.locks import lock
from ..linux.trees import remove_tree
from ..state.roots import check_roots
from . import build_agent
from .hold_version import ARCHIVE, is_held
from .install_command import has_command, install_command

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..paths import Paths

_CURRENT, _KNOWN = "current", "known"
_DIGITS = hashlib.sha256().digest_size * 2  # of a version


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
    paths = engine.paths
    version = _running_version(paths) or _known_version(paths)
    if version and version == _link(paths, _CURRENT) and _is_complete(paths, version):
        return
    check_roots(paths)
    with lock(paths, "agent"):
        _install(paths, version)


def _is_complete(paths: Paths, version: str) -> bool:
    return os.path.exists(_compiled_path(paths, version)) and (
        has_command(paths) or not _brings_command(_archive_path(paths, version))
    )


def _brings_command(archive: str) -> bool:
    """What came with a single task has none."""
    with zipfile.ZipFile(archive) as there:
        return build_agent.COMMAND in there.namelist()


def _install(paths: Paths, version: str) -> None:
    known = os.path.join(paths.agent, _KNOWN)
    make_private_directory(known)
    if not version:
        version = _put(paths)
        _replace_link(os.path.join(known, build_agent.fingerprint()), os.path.join("..", version))
    _compile(paths, version)
    before = _link(paths, _CURRENT)
    if version != before:
        _replace_link(os.path.join(paths.agent, _CURRENT), version)
    if _brings_command(_archive_path(paths, version)):
        install_command(paths, os.path.join(paths.agent, _CURRENT, ARCHIVE))
    _remove_unused(paths, {version, before})


def _put(paths: Paths) -> str:
    """The version that has these sources: the current one, if it has them among others, or a new one."""
    sources = build_agent.sources_of_agent()
    current = _link(paths, _CURRENT)
    if current and _has_all(_archive_path(paths, current), sources):
        return current
    archive = build_agent.pack(sources)
    version = hashlib.sha256(archive).hexdigest()
    make_private_directory(os.path.join(paths.agent, version))
    write_atomically(_archive_path(paths, version), archive)
    return version


def _has_all(archive: str, sources: t.Mapping[str, bytes]) -> bool:
    try:
        with zipfile.ZipFile(archive) as there:
            marks = {entry.filename: (entry.file_size, entry.CRC) for entry in there.infolist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return all(marks.get(path) == (len(source), zlib.crc32(source)) for path, source in sources.items())


def _compile(paths: Paths, version: str) -> None:
    path = _compiled_path(paths, version)
    if not os.path.exists(path):
        with open(_archive_path(paths, version), "rb") as file:
            write_atomically(path, build_agent.compiled(file.read()))


def _running_version(paths: Paths) -> str:
    """The version that this code was imported from, if it is one of this engine's; else empty."""
    above = os.path.realpath(paths.agent) + os.sep
    here = os.path.realpath(__file__)
    return here[len(above) :].partition(os.sep)[0] if here.startswith(above) else ""


def _known_version(paths: Paths) -> str:
    version = os.path.basename(_link(paths, _KNOWN, build_agent.fingerprint()))
    return version if version and os.path.exists(_archive_path(paths, version)) else ""


def _archive_path(paths: Paths, version: str) -> str:
    return os.path.join(paths.agent, version, ARCHIVE)


def _compiled_path(paths: Paths, version: str) -> str:
    return os.path.join(paths.agent, version, build_agent.compiled_name())


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
        unused = len(version) == _DIGITS and version not in kept
        if unused and not is_held(_archive_path(paths, version)):
            remove_tree(os.path.join(paths.agent, version))
    known = os.path.join(paths.agent, _KNOWN)
    for name in os.listdir(known):
        if not os.path.exists(os.path.join(known, name)):
            os.unlink(os.path.join(known, name))
