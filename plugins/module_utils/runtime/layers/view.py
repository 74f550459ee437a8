# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What overlayfs makes of a stack of layers, found without mounting it: which layer answers for a path.

The rules are those of Documentation/filesystems/overlayfs.rst: the topmost layer that has a name decides;
directories merge with those below until a whiteout, something that is not a directory, or an opaque directory
ends it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from .marks import OPAQUE, is_whiteout


class Layer(t.NamedTuple):
    """`directory`: its tree. `inherited`: directories in it whose metadata comes from below."""

    directory: str
    inherited: t.AbstractSet[bytes]


class Metadata(t.NamedTuple):
    """Of a directory; `mtime` in nanoseconds, attributes without overlayfs's own."""

    mode: int
    uid: int
    gid: int
    mtime: int
    attributes: dict[str, bytes]

    def give_to(self, directory: str | int) -> None:
        """To a directory of ours, by path or descriptor, that has no attributes yet."""
        os.chown(directory, self.uid, self.gid)
        os.chmod(directory, self.mode)
        for name, value in self.attributes.items():
            os.setxattr(directory, name, value)
        os.utime(directory, ns=(self.mtime, self.mtime))


class Found(t.NamedTuple):
    """`merged`: indices of the layers whose directories make up the one seen, top first; empty when it is not
    a directory. `source`: index of the layer whose metadata it should have.
    """

    exists: bool
    merged: tuple[int, ...] = ()
    source: int = -1


class View:
    """A context manager around `layers`, top first."""

    def __init__(self, layers: t.Sequence[Layer]) -> None:
        self._layers = layers
        self._roots: list[int] = []
        self._known: dict[bytes, Found] = {}

    def __enter__(self) -> View:
        with contextlib.ExitStack() as stack:
            self._roots = [stack.enter_context(opened(layer.directory)) for layer in self._layers]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def find(self, path: bytes) -> Found:
        """What is at a clean path; directories on the way are never symbolic links."""
        known = path
        while known and known not in self._known:
            known = known.rpartition(b"/")[0]
        found = self._known.get(known) or self._root()
        for step in filter(None, path[len(known) :].split(b"/")):
            known = known + b"/" + step if known else step
            found = self._known[known] = self._look(known, found.merged)
        return found

    def _root(self) -> Found:
        indices = tuple(range(len(self._layers)))
        return Found(bool(indices), indices, self._source(b"", indices))

    def is_directory(self, path: bytes) -> bool:
        return bool(self.find(path).merged)

    def status(self, path: bytes) -> os.stat_result | None:
        """Of what is at a clean path, whatever it is; None where nothing is."""
        index = self._topmost(path)
        return None if index is None else self._stat(index, path)

    def attribute(self, path: bytes, name: str) -> bytes:
        """Of the file at a clean path; empty where it has none."""
        index = self._topmost(path)
        return b"" if index is None else read_attribute(path, self._roots[index], name)

    def names(self, path: bytes) -> set[str]:
        """All that is in the directory at a clean path."""
        found: set[str] = set()
        for index in self.find(path).merged:
            with opened(path or b".", self._roots[index]) as fd:
                found.update(os.listdir(fd))
        return {name for name in found if self._topmost(_joined(path, os.fsencode(name))) is not None}

    def _topmost(self, path: bytes) -> int | None:
        """The layer whose entry is seen, if any is."""
        for index in self.find(path.rpartition(b"/")[0]).merged:
            status = self._stat(index, path)
            if status is not None:
                return None if is_whiteout(status) else index
        return None

    def metadata(self, path: bytes, index: int) -> Metadata:
        """Of the directory `path` in one layer."""
        with opened(path or b".", self._roots[index]) as fd:
            return read_metadata(fd)

    def _look(self, path: bytes, parents: tuple[int, ...]) -> Found:
        """One step further, from the layers that make up the directory above."""
        merged: list[int] = []
        candidates: list[int] = []
        opaque = False
        for index in parents:
            status = self._stat(index, path)
            if status is None:
                continue
            if not stat.S_ISDIR(status.st_mode):
                if not candidates:
                    return Found(not is_whiteout(status))
                break
            candidates.append(index)
            if not opaque:
                merged.append(index)
            opaque = opaque or self._is_opaque(index, path)
            if opaque and path not in self._layers[index].inherited:
                break
        return Found(bool(merged), tuple(merged), self._source(path, candidates))

    def _source(self, path: bytes, indices: t.Sequence[int]) -> int:
        """The topmost layer that lists the directory; where none does, the lowest, which was the first to
        imply it.
        """
        for index in indices:
            if path not in self._layers[index].inherited:
                return index
        return indices[-1] if indices else -1

    def _stat(self, index: int, path: bytes) -> os.stat_result | None:
        try:
            return os.stat(path, dir_fd=self._roots[index], follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _is_opaque(self, index: int, path: bytes) -> bool:
        with opened(path, self._roots[index]) as fd:
            return OPAQUE in os.listxattr(fd)


def _joined(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name


@contextlib.contextmanager
def opened(directory: str | bytes, dir_fd: int | None = None) -> t.Iterator[int]:
    """A descriptor of a directory while the block runs."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def read_metadata(fd: int) -> Metadata:
    status = os.fstat(fd)
    names = [name for name in os.listxattr(fd) if not name.startswith("trusted.overlay.")]
    attributes = {name: os.getxattr(fd, name) for name in names}
    return Metadata(
        stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, attributes
    )


def read_attribute(path: str | bytes, dir_fd: int, attribute: str) -> bytes:
    """An extended attribute of whatever is there, links not followed; empty where there is none."""
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError:
        return b""
    try:
        return os.getxattr(f"/proc/self/fd/{fd}", attribute)
    except OSError:
        return b""
    finally:
        os.close(fd)
