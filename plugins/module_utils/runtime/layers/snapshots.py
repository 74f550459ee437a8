# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The root of a container: a writable directory over the layers of its image.

    containers/<id>/upper/    what the container changed; its own metadata is that of the container's root
    containers/<id>/work/     overlayfs's
    containers/<id>/rootfs/   where the merged view is mounted

A read-only container is mounted the same way: its OCI runtime has to be able to make mount points before it
makes the root read-only.

What a crash leaves: directories that the next `mount_root` uses, a mount that it finds. A reboot takes the
mount.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from ..errors import IntegrityError, doing
from ..linux import mounts
from ..linux.files import make_private_directory
from ..linux.trees import remove_tree
from ..paths import Paths
from .store import LayerStore
from .view import opened, read_metadata

_CHECKED = ("dev", "proc", "sys")


def lower_directories(paths: Paths, directories: t.Sequence[str], parents_layer: str | None) -> list[str]:
    """The layer trees of an image, top first. IntegrityError when one of them is not complete any more."""
    store = LayerStore(paths)
    names = [*([parents_layer] if parents_layer else []), *reversed(directories)]
    for name in names:
        if store.record(name) is None:
            raise IntegrityError(f"layer {name} of the image is missing or damaged", "pull the image again")
    return [store.path(name) for name in names]


def mount_root(lower: t.Sequence[str], container_dir: str, *, volatile: bool = False) -> str:
    """Mount `lower` (top first) under the container's own directories; returns the path of its root.

    Fine if it is mounted already. `volatile`: what the container writes need not survive a power cut.
    """
    root = os.path.join(container_dir, "rootfs")
    if mounts.is_file_system(root):
        return root
    with doing("mount root file system"):
        make_private_directory(container_dir)
        for part in ("work", "rootfs"):
            with contextlib.suppress(FileExistsError):
                os.mkdir(
                    os.path.join(container_dir, part), 0o700
                )  # not synced: the next mount makes it again
        upper = _make_upper(container_dir, lower[0])
        mounts.mount_overlay(lower, upper, os.path.join(container_dir, "work"), root, volatile=volatile)
    return root


def _make_upper(container_dir: str, top: str) -> str:
    """The upper directory, born with the metadata of the image's root: the merged root takes its own from
    there.
    """
    upper = os.path.join(container_dir, "upper")
    if os.path.lexists(upper):
        return upper
    unfinished = upper + ".new"
    remove_tree(unfinished)
    os.mkdir(unfinished, 0o700)
    with opened(top) as source:
        read_metadata(source).give_to(unfinished)
    os.rename(unfinished, upper)
    return upper


def unmount_root(container_dir: str) -> None:
    """Fine if it is not mounted, or was never made."""
    mounts.unmount(os.path.join(container_dir, "rootfs"))


def check_root(root_fd: int) -> None:
    """Refuse a root in which an OCI runtime would follow an image's symbolic link while it mounts what it
    must.

    CVE-2026-47766 (crun) and CVE-2026-41579 (runc) made device nodes and links wherever `/dev` pointed to.
    """
    for name in _CHECKED:
        try:
            found = os.stat(name, dir_fd=root_fd, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENOENT:
                continue
            raise
        if not stat.S_ISDIR(found.st_mode):
            raise IntegrityError(
                f"/{name} of the image is not a directory", "such an image cannot be run safely"
            )
