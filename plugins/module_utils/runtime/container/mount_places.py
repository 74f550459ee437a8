# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Directories that have to be there before the runtime starts: the working directory, and sources of bind
mounts.
"""

from __future__ import annotations

import errno
import os
import typing as t

from ..errors import IntegrityError, NotFound, doing
from ..linux.rooted import open_in_root
from .effective import VolumeMount

_DIRECTORY = os.O_PATH | os.O_DIRECTORY


def make_bind_sources(volumes: t.Iterable[VolumeMount]) -> list[str]:
    """Create missing sources of bind mounts as directories (0755, root), as Docker does; the ones made,
    parents first.
    """
    made = []
    for volume in volumes:
        if volume.type == "bind" and not os.path.lexists(volume.source):
            with doing(f"volumes: create {volume.source}"):
                made += _make_directories(volume.source)
        elif volume.type == "bind" and not os.path.exists(volume.source):
            raise NotFound(
                f"volumes: {volume.source} is a link that leads nowhere", "create what it points to"
            )
    return made


def _make_directories(path: str) -> list[str]:
    if os.path.isdir(path):
        return []
    made = _make_directories(os.path.dirname(path))
    os.mkdir(path, 0o755)
    os.chmod(path, 0o755)
    return [*made, path]


def make_working_directory(root_fd: int, path: str, targets: t.Collection[str] = ()) -> None:
    """Make `path` a directory inside the root, its parents too (0755, root), without ever leaving it.

    `targets` are mount targets: below one of them the root says nothing about what the program will find,
    and the runtime's own check has to do. Raises IntegrityError when something else is there, or a link
    leads to `/proc`.
    """
    if any(path == target or path.startswith(target + "/") for target in targets):
        return
    step = ""
    for name in path.strip("/").split("/"):
        step = f"{step}/{name}"
        try:
            os.close(open_in_root(root_fd, step, _DIRECTORY))
        except FileNotFoundError:
            _make_in_root(root_fd, step)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise IntegrityError(
                f"working_dir: {step} of the image is not a directory", "give working_dir"
            ) from error
    _check_not_in_proc(root_fd, path)


def _make_in_root(root_fd: int, path: str) -> None:
    parent, name = os.path.split(path)
    parent_fd = open_in_root(root_fd, parent, _DIRECTORY)
    try:
        os.mkdir(name, 0o755, dir_fd=parent_fd)
        os.chmod(name, 0o755, dir_fd=parent_fd)
    except FileExistsError:
        raise IntegrityError(
            f"working_dir: {path} of the image is a link that leads nowhere", "give working_dir"
        ) from None
    finally:
        os.close(parent_fd)


def _check_not_in_proc(root_fd: int, path: str) -> None:
    """Where the links of the image lead in the end: `/w -> /proc/self/fd/9` would be a door
    (CVE-2024-21626).
    """
    fd = open_in_root(root_fd, path, _DIRECTORY)
    try:
        root, place = (os.readlink(f"/proc/self/fd/{number}") for number in (root_fd, fd))
    finally:
        os.close(fd)
    inside = place[len(root.rstrip("/")) :]
    if inside == "/proc" or inside.startswith("/proc/"):
        raise IntegrityError(f"working_dir: {path} of the image leads to {inside}", "give working_dir")
