# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Filling a volume at its first use: it gets what the image has at that place, with owner and mode.

Into an empty volume, once: a volume in which anything is has been used. The volume may belong to a stranger:
nothing in it is followed, and everything is made below its descriptor (linux/copies.py; CVE-2025-9566,
CVE-2020-1726).

    _data/.coracle-copy.part   being copied; removed and begun again by the next who finds it
    _data/.coracle-copy.full   complete and on disk; what is in it moves up, one name after the other
    filled = 1                 in the state file, at the end

A kill at any instant leaves one of these, and the next start goes on from there. Lock: that of the volume.
"""

from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ..errors import CoracleError, InvalidInput, doing
from ..linux import syscalls
from ..linux.copies import copy_metadata, copy_tree
from ..linux.files import fsync_directory, spread_below
from ..linux.rooted import open_in_root
from ..linux.trees import remove_tree
from ..volume.driver_options import forgets
from ..volume.records import find_volume, save_volume, volume_data
from .create_volume import existing_volume
from .locked_volume import locked_volume

if t.TYPE_CHECKING:
    from ..container.storage import VolumeMount
    from ..engine import Engine

_PART, _FULL = ".coracle-copy.part", ".coracle-copy.full"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def wants_filling(engine: Engine, mount: VolumeMount) -> bool:
    """Is this the first use of a volume, and may it be filled?"""
    if mount.type != "volume" or mount.subpath or "nocopy" in mount.options:
        return False
    record = find_volume(engine.database.read(), mount.source)
    return record is not None and not record.filled


def fill_volume(engine: Engine, mount: VolumeMount, root: str) -> None:
    """`root` is where the root of the container is mounted. Fine if the volume was filled before."""
    name = mount.source
    with doing(f"fill volume {name} with {mount.target} of the image"), locked_volume(engine, name):
        record = find_volume(engine.database.read(), name)
        if record is None or record.filled:
            return
        with _denial_explained():
            has_been_used = _fill(volume_data(engine.paths, name), root, mount.target)
        if forgets(record.driver_options) or not has_been_used:
            return
        with engine.database.transaction() as transaction:
            save_volume(transaction, existing_volume(transaction, name)._replace(filled=True))


def _fill(data: str, root: str, target: str) -> bool:
    """False: the volume cannot be written to, or is empty and the image has nothing for it; another
    container's image may have.
    """
    with contextlib.ExitStack() as stack:
        place = _kept(stack, os.open(data, _DIRECTORY))
        if os.fstatvfs(place).f_flag & os.ST_RDONLY:
            return False
        remove_tree(os.path.join(data, _PART))
        full = _interrupted(stack, data, place)
        if full is None:
            source = _source(stack, root, target)
            if source is None or os.listdir(place):
                return bool(os.listdir(place))
            if not os.listdir(source):
                with contextlib.suppress(PermissionError):  # an NFS server may have its own mind
                    copy_metadata(source, place)
                fsync_directory(data)
                return True
            full = _copied(stack, source, data, place)
        _finish(full, data, place)
        return True


def _kept(stack: contextlib.ExitStack, fd: int) -> int:
    stack.callback(os.close, fd)
    return fd


def _interrupted(stack: contextlib.ExitStack, data: str, place: int) -> int | None:
    """A complete copy of which not all has moved up."""
    try:
        return _kept(stack, os.open(_FULL, _DIRECTORY, dir_fd=place))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        remove_tree(os.path.join(data, _FULL))  # whoever made that, it was not us
        return None


def _source(stack: contextlib.ExitStack, root: str, target: str) -> int | None:
    """The directory `target` of the container; None where it has none."""
    root_fd = _kept(stack, os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    try:
        return _kept(stack, open_in_root(root_fd, target, os.O_RDONLY | os.O_DIRECTORY))
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise InvalidInput(
            "that is not a directory", "mount the volume on a directory, or a file of the host on the file"
        ) from None


def _copied(stack: contextlib.ExitStack, source: int, data: str, place: int) -> int:
    os.mkdir(_PART, 0o700, dir_fd=place)
    try:
        copy = _kept(stack, os.open(_PART, _DIRECTORY, dir_fd=place))
        spread_below(os.path.join(data, _PART))
        copy_tree(source, copy)
        syscalls.syncfs(copy)
        os.rename(_PART, _FULL, src_dir_fd=place, dst_dir_fd=place)
    except BaseException:
        with contextlib.suppress(CoracleError, OSError):
            remove_tree(os.path.join(data, _PART))
        raise
    return copy


def _finish(full: int, data: str, place: int) -> None:
    """Where somebody else has made something of the same name meanwhile, it stays."""
    found = os.fstat(full)  # with the time that the directory has while nothing has moved
    for name in os.listdir(full):
        try:
            syscalls.renameat2(full, name, place, name, syscalls.RENAME_NOREPLACE)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            os.rename(name, name, src_dir_fd=full, dst_dir_fd=place)  # not every file system knows the other
    copy_metadata(full, place)
    remove_tree(os.path.join(data, _FULL))
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
    fsync_directory(data)


@contextlib.contextmanager
def _denial_explained() -> t.Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise CoracleError(
            "the file system of the volume refuses owners or modes", "leave it as it is: nocopy"
        ) from error
