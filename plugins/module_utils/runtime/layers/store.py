# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Layers at rest: unpacked once, shared by all images, trusted only with a right record.

    layers/<name>/diff/         the tree as overlayfs wants it: whiteouts are devices, opaque an attribute
    layers/<name>/layer.json    the completion record: version, diff id, entries, bytes, demands
    staging/<name>.<random>/    the same, being made; its flock is held by the maker
    trash/                      what was taken out of layers/ and is being unlinked

`name` is 64 hexadecimal digits. For almost every layer they are its diff id's. A layer that means different
trees in different images (see `assemble`) has, for each of them, a directory named after the whole chain
below it; so has the synthetic layer that puts the metadata of unlisted parent directories right. Names of
different kinds cannot collide: each is a SHA-256 of something else.

Locks: the flock on a staging directory says that its maker lives; the flock on layers/ itself is held, for
moments, while a name there changes. Both are leaves of the order in linux/locks.py.

What a crash leaves: a staging directory without a flock, or something in trash/ (`sweep` removes both); or a
directory in layers/ without a right record, if somebody else than us put it there (`publish` replaces it).
Never a layer that looks right and is not: one syncfs for the data of all layers, then the records, each
synced, then the renames, then their directory (rules R1, R2 and R4).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t

from ..errors import IntegrityError, doing
from ..linux.files import (
    fsync_directory,
    make_private_directory,
    names_inode,
    read_bounded,
    spread_below,
    sync_filesystem,
    write_atomically,
)
from ..linux.locks import holders_of
from ..linux.trees import move_to_trash, remove_tree
from ..paths import Paths
from .demands import Demands

if t.TYPE_CHECKING:
    from .extract import Extracted

RECORD = "layer.json"
_VERSION = 1
_RECORD_LIMIT = 128 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HEX = frozenset("0123456789abcdef")


class LayerRecord(t.NamedTuple):
    diff_id: str
    entries: int
    bytes: int
    demands: Demands


class LayerStore:
    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    # Looking

    @staticmethod
    def name_of(diff_id: str) -> str:
        """The directory of a layer that stands alone: the digits of its (checked) diff id."""
        return diff_id.partition(":")[2]

    def path(self, name: str) -> str:
        return os.path.join(self._directory(name), "diff")

    def record(self, name: str) -> LayerRecord | None:
        """What is known about a complete layer; None for one that is absent or whose record is not right."""
        try:
            return _parse(read_bounded(os.path.join(self._directory(name), RECORD), _RECORD_LIMIT))
        except (OSError, ValueError, TypeError, KeyError, RecursionError, IntegrityError):
            return None

    def verify(self, name: str) -> bool:
        """Is the record right, and does the tree still have as many names and bytes as it says?"""
        record = self.record(name)
        if record is None:
            return False
        try:
            return count_tree(self.path(name)) == (record.entries, record.bytes)
        except OSError:
            return False

    def names(self) -> list[str]:
        """Everything in layers/ that has a layer's name, complete or not."""
        return [name for name in _listing(self._paths.layers) if _is_name(name)]

    def _directory(self, name: str) -> str:
        return os.path.join(self._paths.layers, name)

    # Changing

    def stage(self, diff_id: str, name: str = "") -> StagedLayer:
        """A new, empty layer in staging/, locked by us, to be filled and published."""
        name = name or self.name_of(diff_id)
        make_private_directory(self._paths.layers)
        make_private_directory(self._paths.staging)
        spread_below(self._paths.staging)
        while True:
            directory = os.path.join(self._paths.staging, f"{name}.{os.urandom(8).hex()}")
            os.mkdir(directory, 0o700)
            fd = _lock(directory)
            if fd is not None:
                return StagedLayer(name, diff_id, directory, fd)

    def publish(self, layers: t.Sequence[StagedLayer]) -> None:
        """Make filled layers durable and give them their names. On return they survive a power cut.

        Where another process was faster with the same good layer, ours is discarded: that is success too.
        """
        if not layers:
            return
        with doing("store layers"):
            sync_filesystem(self._paths.staging)
            for layer in layers:
                if layer.extracted is None:
                    raise IntegrityError(f"layer {layer.diff_id} was never filled")
                write_atomically(os.path.join(layer.directory, RECORD), _format(layer.extracted))
            with self._renaming() as trashed:
                for layer in layers:
                    trashed += self._take_name(layer)
                fsync_directory(self._paths.staging)
                fsync_directory(self._paths.layers)
        for path in trashed:
            remove_tree(path)
        for layer in layers:
            layer.close()

    def _take_name(self, layer: StagedLayer) -> list[str]:
        """Rename into layers/, over something bad but not over something good; returns what went to the
        trash.
        """
        final = self._directory(layer.name)
        trashed = []
        if os.path.lexists(final):
            if self.verify(layer.name):
                return []
            trashed.append(move_to_trash(self._paths, final))
        os.rename(layer.directory, final)
        layer.directory = ""
        return trashed

    def remove(self, name: str) -> None:
        """Forget a layer; fine if it is not there."""
        if not os.path.lexists(self._directory(name)):
            return
        with self._renaming() as trashed, contextlib.suppress(FileNotFoundError):
            trashed.append(move_to_trash(self._paths, self._directory(name)))
        for path in trashed:
            remove_tree(path)

    def remains(self) -> int:
        """How many trees `sweep` would remove. Only looks, and takes no lock that a maker could meet."""
        staged = [name for name in _listing(self._paths.staging) if _is_name(name.partition(".")[0])]
        dead = [name for name in staged if not _has_holder(os.path.join(self._paths.staging, name))]
        return len(dead) + len(_listing(self._paths.trash))

    def sweep(self) -> None:
        """Remove what makers left in staging/ when they died, and what is left in trash/."""
        for name in _listing(self._paths.staging):
            directory = os.path.join(self._paths.staging, name)
            fd = _lock(directory) if _is_name(name.partition(".")[0]) else None
            if fd is not None:
                remove_tree(directory)
                os.close(fd)
        for name in _listing(self._paths.trash):
            remove_tree(os.path.join(self._paths.trash, name))

    @contextlib.contextmanager
    def _renaming(self) -> t.Iterator[list[str]]:
        fd = os.open(self._paths.layers, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield []
        finally:
            os.close(fd)


class StagedLayer:
    """A layer being made. Leaving its `with` block discards it, unless it was published.

    `directory` in staging/, the tree in its `diff`; `extracted` is set by whoever fills it.
    """

    def __init__(self, name: str, diff_id: str, directory: str, fd: int) -> None:
        self.name = name
        self.diff_id = diff_id
        self.directory = directory
        self.extracted: Extracted | None = None
        self._fd = fd
        os.mkdir(self.diff)
        os.chmod(
            self.diff, 0o755
        )  # the root of a container whose image says nothing else, whatever the umask

    @property
    def diff(self) -> str:
        return os.path.join(self.directory, "diff")

    def close(self) -> None:
        """Discard what was not published, and let go of the lock."""
        if self._fd < 0:
            return
        if self.directory:
            remove_tree(self.directory)
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> StagedLayer:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def count_tree(path: str) -> tuple[int, int]:
    """How many names are below `path`, and the sizes of the regular files among them, added up per name."""
    entries = size = 0
    top = os.open(path, _DIRECTORY)
    pending = [""]
    try:
        while pending:
            relative = pending.pop()
            fd = os.open(relative or ".", _DIRECTORY, dir_fd=top)
            try:
                for entry in _scan(fd):
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(os.path.join(relative, entry.name))
                    elif entry.is_file(follow_symlinks=False):
                        size += entry.stat(follow_symlinks=False).st_size
            finally:
                os.close(fd)
    finally:
        os.close(top)
    return entries, size


def _scan(fd: int) -> t.Iterator[os.DirEntry[str]]:
    with os.scandir(fd) as entries:
        yield from entries


def _lock(directory: str) -> int | None:
    """The flock on a staging directory; None when its maker has it, or it has just been removed."""
    try:
        fd = os.open(directory, _DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    if names_inode(directory, fd):
        return fd
    os.close(fd)
    return None


def _has_holder(directory: str) -> bool:
    try:
        fd = os.open(directory, _DIRECTORY)
    except OSError:
        return True  # gone by now
    try:
        return bool(holders_of(fd))
    finally:
        os.close(fd)


def _listing(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def _is_name(name: str) -> bool:
    return len(name) == 64 and _HEX.issuperset(name)


def _format(extracted: Extracted) -> bytes:
    record = {"version": _VERSION, **extracted._asdict(), "demands": extracted.demands.to_json()}
    return json.dumps(record).encode()


def _parse(data: bytes) -> LayerRecord:
    """Raises ValueError, TypeError or KeyError for anything that `_format` did not write."""
    record = json.loads(data)
    if record["version"] != _VERSION:
        raise ValueError(f"version {record['version']}")
    numbers = int(record["entries"]), int(record["bytes"])
    return LayerRecord(str(record["diff_id"]), *numbers, Demands.from_json(record["demands"]))
