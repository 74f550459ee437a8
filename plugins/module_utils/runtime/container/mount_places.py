# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Places that have to be right before the runtime starts: sources and targets of mounts, the working
directory.

The root belongs to an image: any of its directories may be a link. Paths are followed inside the root, as
the program in the container would see them, and whatever ends up in `/proc`, `/sys` or `/dev` without
saying so is refused: a volume there could take away what hides the host, a working directory there could be
`/proc/self/fd/9` (CVE-2024-21626).
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from ..errors import IntegrityError, InvalidInput, NotFound, doing
from ..linux.rooted import open_in_root
from .storage import VolumeMount

_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_NOT_THE_IMAGES = ("proc", "sys", "dev")
_MOST_LINKS = 40  # as the kernel's MAXSYMLINKS


def make_bind_sources(volumes: t.Iterable[VolumeMount]) -> list[str]:
    """Create missing sources of bind mounts as directories (0755, root), as Docker does; those made,
    parents first. NotFound where that is not wanted.
    """
    made = []
    for volume in volumes:
        if volume.type == "bind" and not os.path.exists(volume.source):
            missing = missing_bind_source(volume)
            if missing is not None:
                raise missing
            with doing(f"volumes: create {volume.source}"):
                made += _make_directories(volume.source)
    return made


def missing_bind_source(volume: VolumeMount) -> NotFound | None:
    """What is wrong with the source of a bind mount, if it is not there and will not be made."""
    if volume.type != "bind" or os.path.exists(volume.source):
        return None
    if os.path.lexists(volume.source):
        return NotFound(f"volumes: {volume.source} is a link that leads nowhere", "create what it points to")
    if not volume.create:
        return NotFound(
            f"mounts: {volume.source} does not exist", "create it, or set create_mountpoint: true"
        )
    return None


def _make_directories(path: str) -> list[str]:
    if os.path.isdir(path):
        return []
    made = _make_directories(os.path.dirname(path))
    os.mkdir(path)
    os.chmod(path, 0o755)
    return [*made, path]


def check_mount_targets(root_fd: int, targets: t.Iterable[str]) -> None:
    """Raise IntegrityError for a target that the image's links lead to a place where nobody may mount."""
    for target in targets:
        place = _follow(root_fd, target)
        if _top(place) != _top(target) and _top(place) in _NOT_THE_IMAGES:
            raise IntegrityError(
                f"image: {target} leads to {place}: nothing can be mounted there", "choose another target"
            )


def check_mount_kinds(root_fd: int, sources: t.Mapping[str, str], covered: t.Collection[str]) -> None:
    """Raise InvalidInput for a file that is to be mounted on a directory, or the other way round.

    `sources` are paths of the host by target; `covered` are all targets: what is below one of them is not the
    root's.
    """
    for target, source in sources.items():
        if any(target.startswith(f"{other}/") for other in covered):
            continue
        try:
            fd = open_in_root(root_fd, target, os.O_PATH)
        except OSError:
            continue  # the runtime makes it
        is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        os.close(fd)
        if os.path.isdir(source) and not is_directory:
            raise InvalidInput(
                f"volumes: {source} is a directory, and {target} of the container is a file",
                "mount a file there, or choose another target",
            )
        if is_directory and not os.path.isdir(source) and os.path.exists(source):
            inside = f"{target}/{os.path.basename(source)}"
            raise InvalidInput(
                f"volumes: {source} is a file, and {target} of the container is a directory",
                f"name the file in the target, too: {inside}",
            )


def check_program(program: str, tmpfs: t.Collection[str], covered: t.Collection[str]) -> None:
    """Raise InvalidInput for a program that a new, empty file system hides; `covered` are all targets."""
    over = [target for target in covered if program.startswith(f"{target}/")]
    hiding = max(over, key=len, default="")
    if hiding in tmpfs:
        raise InvalidInput(
            f"command: {program} is hidden by the tmpfs on {hiding}, which is empty at the start",
            "take the tmpfs away, or run a program that is elsewhere",
        )


def directory_modes(root_fd: int, paths: t.Iterable[str]) -> dict[str, int]:
    """Permissions of those of `paths` that are directories of the root."""
    modes = {}
    for path in paths:
        try:
            fd = open_in_root(root_fd, path, _DIRECTORY)
        except OSError:
            continue
        modes[path] = stat.S_IMODE(os.fstat(fd).st_mode)
        os.close(fd)
    return modes


def make_working_directory(root_fd: int, path: str, targets: t.Collection[str] = ()) -> None:
    """Make `path` a directory of the root, its parents too (0755, root), without ever leaving the root.

    `targets` are mount targets: below one of them the root does not tell what the program will find, and
    the runtime makes the directory. Raises IntegrityError when something else is there or a link leads
    where it must not.
    """
    if any(path == target or path.startswith(target + "/") for target in targets):
        return
    place = _follow(root_fd, path)
    if _top(place) in _NOT_THE_IMAGES and _top(place) != _top(path):
        raise IntegrityError(f"working_dir: {path} of the image leads to {place}", "give working_dir")
    step = ""
    for name in place.strip("/").split("/"):
        step = f"{step}/{name}"
        try:
            os.close(open_in_root(root_fd, step, _DIRECTORY | os.O_NOFOLLOW))
        except FileNotFoundError:
            _make_in_root(root_fd, step)
        except NotADirectoryError:
            problem = f"working_dir: {step} of the image is not a directory"
            raise IntegrityError(problem, "give working_dir") from None


def _make_in_root(root_fd: int, path: str) -> None:
    parent, name = os.path.split(path)
    parent_fd = open_in_root(root_fd, parent, _DIRECTORY)
    try:
        os.mkdir(name, dir_fd=parent_fd)
        os.chmod(name, 0o755, dir_fd=parent_fd)
    finally:
        os.close(parent_fd)


def _follow(root_fd: int, path: str) -> str:
    """Where `path` leads inside the root, links followed even if they dangle: `/proc` of an image is empty,
    the container's is not.
    """
    followed: list[str] = []
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        name = todo.pop()
        if name == "..":
            followed = followed[:-1]
        elif name not in ("", "."):
            target = _link_target(root_fd, "/" + "/".join(followed), name)
            if target is None:
                followed.append(name)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise IntegrityError(f"image: {path} leads in circles")
            followed = [] if target.startswith("/") else followed
            todo += target.split("/")[::-1]
    return "/" + "/".join(followed)


def _link_target(root_fd: int, directory: str, name: str) -> str | None:
    """What the link `name` of a directory says; None where it is no link, or nothing."""
    try:
        fd = open_in_root(root_fd, directory, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return os.readlink(name, dir_fd=fd)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENAMETOOLONG):
            return None
        raise
    finally:
        os.close(fd)


def _top(path: str) -> str:
    return path.split("/")[1]
