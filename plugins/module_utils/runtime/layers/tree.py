# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A layer's tree while it is unpacked: every path is walked below one descriptor, one component at a time.

Nothing leaves the root by construction: each step opens a single name with O_NOFOLLOW, and symbolic links are
read and followed here, `..` and absolute targets ending at the root. (openat2 with RESOLVE_IN_ROOT is a step
shorter, but cannot say through which names it went, which `Demands` must know, nor go on where a name does
not exist yet.) The last directories stay open, so most entries cost no walk at all.

Times: making a name changes the time of its directory. A directory's time is read when it is opened and, if
anything was made in it, put back when it is closed.
"""

from __future__ import annotations

import collections
import errno
import itertools
import os
import stat
import typing as t

from ..errors import IntegrityError
from .demands import Demands
from .headers import shown
from .limits import PATH_LIMIT, Limits
from .marks import OPAQUE, is_whiteout

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_DIRECTORIES = 256
_ALIASES = 1000
_LINKS = 255  # symbolic links on one path, as umoci allows
_FREE_STEPS = 100_000
_STEPS_PER_ENTRY = 32
_BATCH = 1000


class NotDirectory(IntegrityError):
    """A path goes through something that is neither a directory nor a link to one."""


class Directory:
    """An open directory. `path` has no symbolic links in it. `gid` is what new names get from a set-group-ID
    directory.

    `sealed`: nothing of the layers below shows through. `touched`: its time has to be put back.
    """

    __slots__ = ("fd", "gid", "mtime", "path", "sealed", "touched")

    def __init__(self, fd: int, path: bytes, sealed: bool) -> None:
        self.fd = fd
        self.path = path
        self.sealed = sealed
        self.touched = False
        self.remember(os.fstat(fd))

    def remember(self, found: os.stat_result) -> None:
        self.mtime = found.st_mtime_ns
        self.gid = found.st_gid if found.st_mode & stat.S_ISGID else 0

    def child(self, name: bytes) -> bytes:
        return self.path + b"/" + name if self.path else name

    def close(self) -> None:
        if self.touched:
            os.utime(self.fd, ns=(self.mtime, self.mtime))
        os.close(self.fd)


class Tree:
    """Counts what is there: `entries` names (without the root) and `bytes`, the sizes of regular files per
    name.

    `layered`: this is one layer; what it must hide and what it takes for granted has to be marked. Otherwise
    it is the whole file system of an image.
    """

    def __init__(self, root_fd: int, limits: Limits, layered: bool) -> None:
        self.layered = layered
        self.demands = Demands()
        self.entries = 0
        self.bytes = 0
        self.root = Directory(os.dup(root_fd), b"", sealed=not layered)
        self._limits = limits
        self._open: collections.OrderedDict[bytes, Directory] = collections.OrderedDict()
        self._aliases: dict[bytes, bytes] = {}
        self._held = self.root
        self._any_opaque = False
        self._budget = _FREE_STEPS
        if layered:
            self.demands.inherited.add(b"")
            self.root.mtime, self.root.touched = 0, True

    def close(self) -> None:
        for directory in (*self._open.values(), self.root):
            directory.close()
        self._open.clear()

    # Counting

    def count(self, size: int = 0) -> None:
        """One more name, with `size` bytes. Raises IntegrityError over the limits."""
        self.entries += 1
        self.bytes += size
        self._budget += _STEPS_PER_ENTRY
        if self.entries > self._limits.entries:
            raise IntegrityError(f"the layer has more than {self._limits.entries} entries")
        if self.bytes > self._limits.bytes:
            raise IntegrityError(f"the files of the layer have more than {self._limits.bytes} bytes")

    def _spend(self) -> None:
        self._budget -= 1
        if self._budget < 0:
            raise IntegrityError("the layer is a maze: its paths and symbolic links never come to an end")

    # Walking

    def directory(self, path: bytes) -> Directory:
        """The directory that a clean `path` leads to, made where it is missing; good until the next walk."""
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        return self._imply(*self._walk(path))

    def visible_directory(self, path: bytes) -> Directory | None:
        """The same; but None, and nothing is made, where no layer below can show through."""
        at, missing = self._walk(path)
        if missing:
            found = self.look(at, missing[0])
            if at.sealed or found is not None:  # a whiteout, or the walk would have used it
                return None
        at = self._imply(at, missing)
        return None if at.sealed else at

    def existing_directory(self, path: bytes) -> Directory | None:
        """The directory that `path` leads to; None where there is none in this tree."""
        try:
            at, missing = self._walk(path)
        except NotDirectory:
            return None
        return None if missing else at

    def hold(self, directory: Directory) -> Directory:
        """Keep this one usable until another one is held."""
        self._held = directory
        return directory

    def look(self, directory: Directory, name: bytes) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=directory.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _walk(self, path: bytes) -> tuple[Directory, list[bytes]]:
        """As far as there are directories, and the steps that are missing.

        As securejoin: where no directory is a path is taken literally, `..` takes the last step back.
        """
        at, todo = self._nearest(self._aliases.get(path, path))
        missing: list[bytes] = []
        blocked: NotDirectory | None = None
        lasting = True
        links = 0
        while todo:
            step = todo.pop()
            if step in (b"", b"."):
                continue
            if step == b"..":
                if missing:
                    self.demands.pass_through(at.child(b"/".join(missing)))
                    lasting = False
                    missing.pop()
                    blocked = blocked if missing else None
                else:
                    at = self._above(at)
                continue
            try:
                found = None if missing else self._step(at, step)
            except NotDirectory as error:
                blocked, found = error, None
            if isinstance(found, Directory):
                at = found
            elif found is None:
                missing.append(step)
            else:
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                at = self.root if found.startswith(b"/") else at
                todo += found.split(b"/")[::-1]
        if missing and blocked:
            raise blocked
        if links and lasting and len(self._aliases) < _ALIASES:
            self._aliases[path] = at.child(b"/".join(missing)) if missing else at.path
        return at, missing

    def _above(self, at: Directory) -> Directory:
        return self._walk(at.path.rpartition(b"/")[0])[0]

    def _nearest(self, path: bytes) -> tuple[Directory, list[bytes]]:
        """The longest open part of a path, and the steps from there, next one last."""
        todo: list[bytes] = []
        while path:
            found = self._open.get(path)
            if found is not None:
                self._open.move_to_end(path)
                return found, todo
            path, _slash, step = path.rpartition(b"/")
            todo.append(step)
        return self.root, todo

    def _step(self, at: Directory, name: bytes) -> Directory | bytes | None:
        """What is there: a directory, the target of a symbolic link, or nothing, which a whiteout is too."""
        self._spend()
        path = at.child(name)
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=at.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            return self._link(at, name)
        return self._opened(fd, path, at.sealed)

    def _link(self, at: Directory, name: bytes) -> bytes | None:
        found = os.stat(name, dir_fd=at.fd, follow_symlinks=False)
        if is_whiteout(found):
            return None
        if not stat.S_ISLNK(found.st_mode):
            raise NotDirectory(f"{shown(at.child(name))} is used as a directory but is not one")
        return os.readlink(name, dir_fd=at.fd)

    def _opened(self, fd: int, path: bytes, sealed: bool) -> Directory:
        if len(path) > PATH_LIMIT:
            os.close(fd)
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        sealed = sealed or (self._any_opaque and _is_opaque(fd))
        directory = Directory(fd, path, sealed)
        self._open[path] = directory
        if len(self._open) > _OPEN_DIRECTORIES:
            if next(iter(self._open)) == self._held.path:
                self._open.move_to_end(self._held.path)
            self._open.popitem(last=False)[1].close()
        return directory

    # Making

    def _imply(self, at: Directory, missing: t.Iterable[bytes]) -> Directory:
        """Make directories that the layer does not list, at least not yet: 0755, root's, of 1970."""
        for step in missing:
            self.make_directory(at, step, 0o755)
            at = self._made(at, step)
            at.mtime, at.touched = 0, True
            if not at.sealed:
                self.demands.inherit(at.path)
        return at

    def make_directory(self, at: Directory, name: bytes, mode: int) -> bool:
        """Make the directory `name`; False if it is one already.

        Anything else that had the name, a whiteout too, had hidden the same name below: the new directory is
        opaque.
        """
        at.touched = True
        replaced = False
        try:
            os.mkdir(name, mode, dir_fd=at.fd)
        except FileExistsError:
            found = os.stat(name, dir_fd=at.fd, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                return False
            self.remove(at, name, found)
            os.mkdir(name, mode, dir_fd=at.fd)
            replaced = True
        self.count()
        self.demands.own(at.child(name))
        if replaced and not at.sealed:
            self.seal(self._made(at, name))
        return True

    def _made(self, at: Directory, name: bytes) -> Directory:
        directory = self._step(at, name)
        if not isinstance(directory, Directory):
            raise IntegrityError(f"{shown(at.child(name))} cannot be made a directory")
        return directory

    def seal(self, directory: Directory) -> None:
        """Let nothing of the layers below show in `directory`."""
        if directory.path:  # for the root overlayfs takes no notice of it
            os.setxattr(directory.fd, OPAQUE, b"y")
            self._any_opaque = True
        directory.sealed = True
        inside = directory.child(b"")
        for path, one in self._open.items():
            one.sealed = one.sealed or path.startswith(inside)

    def known(self, at: Directory, name: bytes) -> Directory | None:
        """The directory `name`, if it is open already."""
        return self._open.get(at.child(name))

    # Removing

    def clear(self, at: Directory, name: bytes) -> bool:
        """Make room for `name`; False if nothing was there."""
        found = self.look(at, name)
        if found is None:
            return False
        self.remove(at, name, found)
        return True

    def remove(self, at: Directory, name: bytes, found: os.stat_result) -> None:
        at.touched = True
        if stat.S_ISDIR(found.st_mode):
            self._forget(at.child(name))
            self._remove_directory(at.fd, name)
        else:
            self._unlink(at.fd, name, found)

    def _unlink(self, dir_fd: int, name: bytes | str, found: os.stat_result) -> None:
        os.unlink(name, dir_fd=dir_fd)
        self.entries -= 1
        if stat.S_ISREG(found.st_mode):
            self.bytes -= found.st_size
        elif stat.S_ISLNK(found.st_mode):
            self._aliases.clear()

    def _forget(self, path: bytes) -> None:
        inside = path + b"/"
        for known in [known for known in self._open if known == path or known.startswith(inside)]:
            os.close(self._open.pop(known).fd)
        self._aliases.clear()

    def _remove_directory(self, dir_fd: int, name: bytes) -> None:
        """Without recursion; one descriptor for each level, of which PATH_LIMIT allows some two thousand."""
        stack: list[tuple[int, bytes | str, list[str]]] = [
            (os.open(name, _DIRECTORY, dir_fd=dir_fd), name, [])
        ]
        try:
            while stack:
                fd, own, names = stack[-1]
                if not names:
                    with os.scandir(fd) as found:
                        names += [entry.name for entry in itertools.islice(found, _BATCH)]
                if names:
                    child = names.pop()
                    status = os.stat(child, dir_fd=fd, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        stack.append((os.open(child, _DIRECTORY, dir_fd=fd), child, []))
                    else:
                        self._unlink(fd, child, status)
                else:
                    os.close(stack.pop()[0])
                    os.rmdir(own, dir_fd=stack[-1][0] if stack else dir_fd)
                    self.entries -= 1
        finally:
            for fd, _own, _names in stack:
                os.close(fd)


def _is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, OPAQUE) == b"y"
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise
