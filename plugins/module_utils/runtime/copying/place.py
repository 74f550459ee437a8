# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A tree of files with a root: a container's, a volume's, the host's. Whatever links are in it, and whoever
changes them meanwhile, paths never lead outside: the root is a descriptor, and so is everything found below.
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from ..errors import Conflict, InvalidInput, NotFound, from_os_error
from ..linux.rooted import open_in_root

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_MOST_OPEN = 64
_MOST_LINKS = 40


class Place:
    """`name` is for messages: `container web`. `refuses`: reasons by device number why nothing can be written
    there, or read. `hidden`: device numbers of what is no part of a tree that is copied. `mounts`: all mount
    points of another mount namespace than our own.

    The kernel refuses to replace what is a mount point, but only to those who are in its namespace; to others
    it gives way, mount and all. So that is looked after here.
    """

    def __init__(
        self,
        root: int,
        name: str,
        *,
        refuses: t.Mapping[int, str] | None = None,
        hidden: t.Collection[int] = (),
        read_only_hint: str = "",
        mounts: t.Collection[str] = (),
    ) -> None:
        self.root = root
        self.name = name
        self._refuses = refuses or {}
        self._hidden = hidden
        self._read_only_hint = read_only_hint
        self._mounts = mounts
        self._guarded = ""
        self._open: dict[str, int] = {}

    def close(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def guard(self, path: str) -> None:
        """From here on no link below `path` is followed: what a stranger's files have brought there once must
        not lead later ones elsewhere. For places that have no wall around them.
        """
        self._guarded = f"{path.rstrip('/')}/"

    def _is_guarded(self, path: str) -> bool:
        return bool(self._guarded) and path.startswith(self._guarded)

    # Looking

    def open(self, path: str, flags: int) -> int:
        """Links followed, inside; with O_NOFOLLOW, but for the last step."""
        if self._is_guarded(path):
            parent, name = split(path)
            return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.directory(parent))
        return open_in_root(self.root, path or "/", flags)

    def directory(self, path: str) -> int:
        """A descriptor of the directory, links followed; good until the next sixty others have been asked
        for.
        """
        fd = self._open.pop(path, None)
        if fd is None:
            fd = self.open(path, _DIRECTORY)
        self._open[path] = fd
        if len(self._open) > _MOST_OPEN:
            os.close(self._open.pop(next(iter(self._open))))
        return fd

    def forget(self, path: str) -> None:
        """What is at `path` has become another one."""
        for known in [name for name in self._open if name == path or name.startswith(f"{path}/")]:
            os.close(self._open.pop(known))

    def look(self, path: str) -> os.stat_result | None:
        """What is at `path`, a link not followed; None where there is nothing."""
        parent, name = split(path)
        try:
            if not name:
                return os.fstat(self.directory(parent))
            return os.stat(name, dir_fd=self.directory(parent), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_directory(self, path: str) -> bool:
        """Links followed."""
        try:
            found = self.open(path, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno == errno.ELOOP:
                return False
            raise
        try:
            return stat.S_ISDIR(os.fstat(found).st_mode)
        finally:
            os.close(found)

    def is_link(self, path: str) -> bool:
        found = self.look(path)
        return found is not None and stat.S_ISLNK(found.st_mode)

    def end_of_links(self, path: str) -> str:
        """Where `path` leads if its last step is a link, and that leads to another; the end need not exist.

        Steps before the last are left as they are, `..` too: only the kernel knows what they mean.
        """
        for _step in range(_MOST_LINKS):
            parent, name = split(path)
            if not name or name == "..":
                return path
            try:
                target = os.readlink(name, dir_fd=self.directory(parent))
            except (FileNotFoundError, NotADirectoryError):
                return path
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return path
                raise
            path = target.rstrip("/") or "/" if target.startswith("/") else f"{parent}/{target}".rstrip("/")
        raise InvalidInput(f"{path} of {self.name} leads in circles")

    def is_hidden(self, fd: int) -> bool:
        return os.fstat(fd).st_dev in self._hidden

    # May one write there?

    def check_readable(self, path: str, fd: int) -> None:
        why = self._refuses.get(os.fstat(fd).st_dev)
        if why:
            raise NotFound(f"{path} of {self.name} is {why}")

    def check_writable(self, path: str, fd: int) -> None:
        """`fd` is a directory in which something at `path` is to be made or changed."""
        why = self._refuses.get(os.fstat(fd).st_dev)
        if why:
            raise Conflict(f"{path} of {self.name} cannot be written: it is {why}")
        if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
            raise self.read_only(path)

    def read_only(self, path: str) -> Conflict:
        return Conflict(f"{path} of {self.name} is on a read-only file system", self._read_only_hint)

    def is_mount_point(self, parent: int, name: str) -> bool:
        """A file on which another one is mounted cannot be replaced, only be written to."""
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            return mount_id(fd) != mount_id(parent)
        finally:
            os.close(fd)

    def mounts_below(self, directory: int) -> list[str]:
        """Mount points in a directory. Its path is the kernel's word, whatever was renamed on the way."""
        path = os.readlink(f"/proc/self/fd/{directory}").rstrip("/")
        return [mount for mount in self._mounts if mount.startswith(f"{path}/")]


def split(path: str) -> tuple[str, str]:
    """Parent and name; the name is empty for the root."""
    parent, _slash, name = path.rstrip("/").rpartition("/")
    return parent, name


def absolute(path: str) -> str:
    """As a process whose working directory is the root means it; `//` and `/./` mean nothing."""
    steps = [step for step in path.split("/") if step not in ("", ".")]
    return "/" + "/".join(steps)


def join(top: str, path: str) -> str:
    return f"{top.rstrip('/')}/{path}" if path else top


def unreadable(error: OSError, path: str, place: Place) -> Exception:
    """An error in words that name the place. NotFound is raised with a better reason, if there is one."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        above = split(path)[0]
        while above and not place.is_directory(above):
            above = split(above)[0]
        place.check_readable(path, place.directory(above))
        return NotFound(f"there is no {path} in {place.name}")
    if error.errno == errno.ELOOP:
        return InvalidInput(f"{path} of {place.name} leads in circles")
    return from_os_error(OSError(error.errno, error.strerror, path))


def mount_id(fd: int) -> str:
    """Source: proc(5), /proc/<pid>/fdinfo."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("mnt_id:"):
                return line.split()[1]
    return ""
