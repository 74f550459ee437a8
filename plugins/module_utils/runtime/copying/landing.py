# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Carrying out what `compare` has found: every file is there whole or not at all, and on disk at the end.

    <directory>/.coracle-copy.<16 hex>/   0700, locked by its descriptor while somebody fills it: new files,
                                          complete before they are renamed into their places; directories
                                          that have to give way

It lies in the directory that is copied, or in which the file is that is copied; on a mount below that, in the
first directory that gets a file. What a crash leaves: this directory. The next copy to the same place removes
it. A full disk leaves the old files: the new ones never got their names.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
import typing as t

from ..errors import Conflict
from ..linux import syscalls
from ..linux.trees import remove_tree
from .attributes import give_attributes
from .compare import Change, Wishes, check_holds_no_mount, mounted_over
from .items import DIRECTORY, FILE, HARD_LINK, LINK, PIPE, UNFINISHED, Source
from .place import Place, join, mount_id, split

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FEW = 8  # files that are synced one by one; more of them with the whole file system
_MOST_STAGED = 1000
_PIECE = 1 << 20

Validate = t.Callable[[str], None]
"""Told the path of a complete file before it gets its name; raises if it must not."""


class Landing:
    """One delivery. `top`: what is copied lies there. `validate` may say no to each file. `keeps_top`: as for
    `compare`.
    """

    def __init__(
        self,
        place: Place,
        source: Source,
        top: str,
        wishes: Wishes,
        validate: Validate | None = None,
        *,
        keeps_top: bool = False,
    ) -> None:
        self.backups: list[str] = []
        self._place = place
        self._source = source
        self._top = top
        self._keeps_top = keeps_top
        self._is_one_file = False
        self._wishes = wishes
        self._validate = validate
        self._stages: dict[str, _Stage] = {}
        self._stage_of: dict[str, _Stage] = {}
        self._staged: list[tuple[Change, _Stage, str]] = []
        self._touched: dict[str, None] = {}
        self._count = 0

    def carry_out(self, changes: t.Iterable[Change]) -> None:
        try:
            for change in changes:
                self._make(change)
            self._settle()
        finally:
            for stage in self._stages.values():
                stage.remove()
        if self._wishes.archive:
            self._give_times()
        self._sync()

    def _give_times(self) -> None:
        """A directory's time changes with what is made in it."""
        times = {join(self._top, item.path): item for item in self._source.items() if item.kind == DIRECTORY}
        for path in self._touched:
            item = times.get(path)
            if item is not None and not (self._keeps_top and path == self._top):
                os.utime(self._place.directory(path), ns=(item.mtime,) * 2)

    def _make(self, change: Change) -> None:
        self._is_one_file |= change.path == self._top and change.item.kind != DIRECTORY
        if not change.is_whole:
            self._touched[change.path if change.item.kind == DIRECTORY else split(change.path)[0]] = None
            self._give(change)
        elif change.item.kind == DIRECTORY:
            self._make_directory(change)
        else:
            if change.item.kind == HARD_LINK:
                self._settle()  # its first name has to be there
            self._stage(change)
            if len(self._staged) >= _MOST_STAGED:
                self._settle()

    # Directories

    def _make_directory(self, change: Change) -> None:
        parent, name = split(change.path)
        directory = self._place.directory(parent)
        if change.before is None:
            os.mkdir(name, 0o700, dir_fd=directory)
        else:
            self._settle()
            stage = self._stage_for(parent, directory)
            new = stage.name()
            os.mkdir(new, 0o700, dir_fd=stage.fd)
            self._exchange(change, stage.fd, new, directory, name)
        self._touched[parent] = self._touched[change.path] = None
        self._give(change)

    # Everything else

    def _stage(self, change: Change) -> None:
        parent, _name = split(change.path)
        directory = self._place.directory(parent)
        stage = self._stage_for(parent, directory)
        name = stage.name()
        item = change.item
        if item.kind == FILE:
            self._write(change, stage.fd, name)
        elif item.kind == LINK:
            os.symlink(item.target, name, dir_fd=stage.fd)
            self._give_link(change, stage.fd, name)
        elif item.kind == HARD_LINK:
            self._link(join(self._top, item.target), stage.fd, name)
        elif item.kind == PIPE:
            os.mkfifo(name, 0o600, dir_fd=stage.fd)
            self._give_handle(change, stage.fd, name)
        if self._validate is not None and item.kind == FILE:
            self._validate(f"{stage.path}/{name}")
        self._staged.append((change, stage, name))
        self._touched[parent] = None

    def _write(self, change: Change, directory: int, name: str) -> None:
        fd = os.open(name, _CREATE, 0o600, dir_fd=directory)
        try:
            write_pieces(fd, self._source.content(change.item), change.item.size)
            self._give_metadata(change, fd)
            self._count += 1
            if self._count <= _FEW:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _link(self, first: str, directory: int, name: str) -> None:
        parent, original = split(first)
        source = self._place.directory(parent)
        os.link(original, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)

    def _settle(self) -> None:
        """Give what is staged its names. What a power cut leaves behind any of them is complete."""
        if self._count > _FEW:
            for stage in self._stages.values():
                syscalls.syncfs(stage.fd)
        for change, stage, staged in self._staged:
            parent, name = split(change.path)
            directory = self._place.directory(parent)
            if self._wishes.backup and change.before is not None and not stat.S_ISDIR(change.before.st_mode):
                self.backups.append(f"{parent}/{_back_up(directory, name)}")
            self._name(change, stage.fd, staged, directory, name)
        self._staged = []

    def _name(self, change: Change, stage: int, staged: str, directory: int, name: str) -> None:
        there = self._place.look(change.path)
        if there is None:
            pass
        elif stat.S_ISDIR(there.st_mode):
            if not self._wishes.replace_kind:
                raise Conflict(f"{change.path} of {self._place.name} has become a directory")
            self._exchange(change, stage, staged, directory, name)
            return
        elif self._place.is_mount_point(directory, name):
            if not self._wishes.in_place or change.item.kind != FILE:
                raise mounted_over(change.path, self._place)
            _overwrite(stage, staged, directory, name)
            self._give_handle(change, directory, name)
            return
        os.rename(staged, name, src_dir_fd=stage, dst_dir_fd=directory)

    def _exchange(self, change: Change, stage: int, staged: str, directory: int, name: str) -> None:
        """Put it in the place of something of another kind, which goes with the stage.

        overlayfs moves no directory that an image has (EXDEV): there it is removed first.
        """
        if self._place.is_mount_point(directory, name):
            raise mounted_over(change.path, self._place)
        if self._place.is_directory(change.path):
            check_holds_no_mount(change.path, self._place)
        self._place.forget(change.path)
        try:
            syscalls.renameat2(stage, staged, directory, name, syscalls.RENAME_EXCHANGE)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS):
                raise
            remove_tree(f"/proc/self/fd/{directory}/{name}")
            os.rename(staged, name, src_dir_fd=stage, dst_dir_fd=directory)

    # Metadata

    def _give(self, change: Change) -> None:
        parent, name = split(change.path)
        if change.item.kind == DIRECTORY:
            self._give_metadata(change, self._place.directory(change.path))
        elif change.item.kind == LINK:
            self._give_link(change, self._place.directory(parent), name)
        else:
            self._give_handle(change, self._place.directory(parent), name)

    def _give_link(self, change: Change, directory: int, name: str) -> None:
        os.chown(name, change.uid, change.gid, dir_fd=directory, follow_symlinks=False)
        if self._wishes.archive:
            os.utime(name, ns=(change.item.mtime,) * 2, dir_fd=directory, follow_symlinks=False)

    def _give_handle(self, change: Change, directory: int, name: str) -> None:
        """To what is there, unless it has become a link: that is not followed."""
        fd = os.open(name, _HANDLE, dir_fd=directory)
        try:
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                raise Conflict(f"{change.path} of {self._place.name} has become a link", "run the task again")
            self._give_metadata(change, fd)
        finally:
            os.close(fd)

    def _give_metadata(self, change: Change, fd: int) -> None:
        """Owner first: changing it takes away setuid and capabilities."""
        place = f"/proc/self/fd/{fd}"
        found = os.stat(place)
        if (found.st_uid, found.st_gid) != (change.uid, change.gid):
            os.chown(place, change.uid, change.gid)
        if stat.S_IMODE(os.stat(place).st_mode) != change.mode:
            os.chmod(place, change.mode)
        if self._wishes.archive:
            if change.item.kind in (FILE, DIRECTORY):
                give_attributes(fd, change.item.xattrs)
            os.utime(place, ns=(change.item.mtime,) * 2)

    # On disk

    def _stage_for(self, parent: str, directory: int) -> _Stage:
        """Its directory lies on the same mount: only within one can files be renamed."""
        known = self._stage_of.get(parent)
        if known is None:
            mount = mount_id(directory)
            known = self._stages.get(mount)
            if known is None:
                home = split(self._top)[0] if self._is_one_file else home_of(self._place, self._top)
                if mount_id(self._place.directory(home)) == mount:
                    parent, directory = home, self._place.directory(home)
                    self._touched[home] = None
                known = self._stages[mount] = _Stage(parent, directory)
            self._stage_of[parent] = known
        return known

    def _sync(self) -> None:
        """The names; after many files, all of it at once."""
        if len(self._touched) <= _FEW and self._count <= _FEW:
            for path in self._touched:
                os.fsync(self._place.directory(path))
            return
        done = set()
        for path in self._touched:
            fd = self._place.directory(path)
            device = os.fstat(fd).st_dev
            if device not in done:
                done.add(device)
                syscalls.syncfs(fd)


class _Stage:
    """The directory with what has no name yet. `path` is how the program in the container sees it."""

    def __init__(self, parent: str, directory: int) -> None:
        _clear(directory)
        self._directory = os.dup(directory)
        self._own = f"{UNFINISHED}{os.urandom(8).hex()}"
        self._names = 0
        self.path = f"{parent}/{self._own}"
        os.mkdir(self._own, 0o700, dir_fd=directory)
        self.fd = os.open(self._own, _DIRECTORY, dir_fd=directory)
        with contextlib.suppress(OSError):  # not every network file system has locks
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def name(self) -> str:
        self._names += 1
        return str(self._names)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            remove_tree(f"/proc/self/fd/{self._directory}/{self._own}")
        os.close(self.fd)
        os.close(self._directory)


def home_of(place: Place, top: str) -> str:
    """The directory that is copied, or in which the file is that is copied."""
    is_directory = place.is_directory(top) and not place.is_link(top)
    return top if is_directory else split(top)[0]


def clear_leftovers(place: Place, top: str) -> None:
    """Remove what a copy to `top` has left that was killed."""
    home = home_of(place, top)
    if place.is_directory(home):
        _clear(place.directory(home))


def _clear(directory: int) -> None:
    for name in os.listdir(directory):
        if not name.startswith(UNFINISHED):
            continue
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=directory)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(f"/proc/self/fd/{directory}/{name}")
        except OSError:
            continue  # somebody is filling it
        finally:
            os.close(fd)


def _back_up(directory: int, name: str) -> str:
    """Another name for what is there, as Ansible's own modules call it."""
    backup = f"{name}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S')}~"
    try:
        os.link(name, backup, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV):
            raise
        _copy_beside(directory, name, backup)
    return backup


def _copy_beside(directory: int, name: str, backup: str) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        found = os.fstat(source)
        target = os.open(backup, _CREATE, 0o600, dir_fd=directory)
        try:
            _pour(source, target)
            os.fchown(target, found.st_uid, found.st_gid)
            os.fchmod(target, stat.S_IMODE(found.st_mode))
            os.fsync(target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _overwrite(stage: int, staged: str, directory: int, name: str) -> None:
    """Not atomic: whoever asked for that knows it."""
    source = os.open(staged, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=stage)
    try:
        target = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        try:
            os.ftruncate(target, 0)
            _pour(source, target)
            os.fsync(target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _pour(source: int, target: int) -> None:
    while True:
        piece = os.read(source, _PIECE)
        if not piece:
            return
        while piece:
            piece = piece[os.write(target, piece) :]


def write_pieces(fd: int, pieces: t.Iterable[tuple[int, bytes]], size: int) -> None:
    """Content with its holes into a new file."""
    at = 0
    for offset, piece in pieces:
        if offset != at:
            os.lseek(fd, offset, os.SEEK_SET)
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]
        at = offset + len(piece)
    if at != size:
        os.ftruncate(fd, size)
