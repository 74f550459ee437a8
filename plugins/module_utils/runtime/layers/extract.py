# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A tar stream becomes a tree: one layer as overlayfs wants it, or one more layer applied to a whole file
system.

The result is what `umoci unpack` makes of the same bytes. Whatever is in the way is removed first, never
opened, written through or linked over: a FIFO cannot hang us and a device is never touched. Owners and modes
are numbers.

Runs in a process of its own (see worker.py): it changes the umask, and a mistake here should not be the last
line.
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from ..errors import CoracleError, IntegrityError, StorageError, from_os_error
from . import headers
from .attributes import clear_attributes, set_attributes
from .demands import Demands
from .headers import Entry, shown
from .limits import DEFAULT, Limits
from .marks import is_whiteout
from .stream import HashedStream
from .tree import Directory, Tree
from .whiteouts import (
    PREFIX,
    AppliedWhiteouts,
    OverlayWhiteouts,
    Whiteouts,
    check_reserved,
    hidden_name,
    is_ignored,
)

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SET_ID = stat.S_ISUID | stat.S_ISGID
_SPACE_CHECK = 32 << 20  # bytes written between two looks at the free space

# What is wrong with the host, not with the entry.
_HOST_ERRORS = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class Extracted(t.NamedTuple):
    """`diff_id`: digest of the uncompressed tar. `entries`, `bytes`: names in the tree, and sizes of its
    files per name.
    """

    diff_id: str
    entries: int
    bytes: int
    demands: Demands


def extract_layer(
    stream: HashedStream, root_fd: int, limits: Limits = DEFAULT, *, layered: bool = True
) -> Extracted:
    """Unpack `stream` into the directory `root_fd` and read it to its end.

    `layered`: the directory is empty and becomes one layer. Otherwise it is the file system that the layers
    below make. Raises IntegrityError, naming the entry, for what cannot be a layer; StorageError when the
    disk says no.
    """
    tree = Tree(root_fd, limits, layered)
    umask = os.umask(0)
    try:
        _Extraction(tree, stream, root_fd, limits).run()
    finally:
        tree.close()
        os.umask(umask)
    return Extracted(stream.drain(), tree.entries, tree.bytes, tree.demands)


class _Extraction:
    def __init__(self, tree: Tree, stream: HashedStream, root_fd: int, limits: Limits) -> None:
        self._tree = tree
        self._stream = stream
        self._root_fd = root_fd
        self._limits = limits
        self._whiteouts: Whiteouts = OverlayWhiteouts(tree) if tree.layered else AppliedWhiteouts(tree)
        self._unchecked = 0
        self._makers: dict[bytes, t.Callable[[Directory, bytes, Entry], None]] = {
            headers.REGULAR: self._make_file,
            headers.DIRECTORY: self._make_directory,
            headers.SYMBOLIC_LINK: self._make_symbolic_link,
            headers.HARD_LINK: self._make_hard_link,
            headers.CHARACTER: self._make_node,
            headers.BLOCK: self._make_node,
            headers.FIFO: self._make_node,
        }

    def run(self) -> None:
        for entry in headers.read_entries(self._stream):
            try:
                self._put(entry)
            except OSError as error:
                raise _explained(error, entry) from error
            except CoracleError as error:
                error.during(f"entry {shown(entry.path)}")
                raise

    def _put(self, entry: Entry) -> None:
        if not entry.path:
            self._take_root(entry)
            return
        parent, _slash, name = entry.path.rpartition(b"/")
        if PREFIX in entry.path and self._is_special(entry, parent, name):
            self._stream.skip(entry.stored)
            return
        directory = self._tree.hold(self._tree.directory(parent))
        directory.touched = True
        self._makers[entry.kind](directory, name, entry)
        self._whiteouts.placed(directory.child(name))

    def _is_special(self, entry: Entry, parent: bytes, name: bytes) -> bool:
        if is_ignored(entry.path):
            return True
        check_reserved(parent)
        if not name.startswith(PREFIX):
            return False
        self._whiteouts.hide(parent, hidden_name(entry.path))
        return True

    def _take_root(self, entry: Entry) -> None:
        if entry.kind != headers.DIRECTORY:
            raise IntegrityError("the root of a layer is not a directory")
        self._describe(self._tree.root, entry)

    # Directories

    def _make_directory(self, at: Directory, name: bytes, entry: Entry) -> None:
        if (
            self._tree.make_directory(at, name, entry.mode)
            and not entry.xattrs
            and not self._tree.known(at, name)
        ):
            self._own(at, name, entry)
            if entry.mode & _SET_ID or at.gid:  # mkdir(2) ignores the one and inherits the other
                os.chmod(name, entry.mode, dir_fd=at.fd)
            _date(at, name, entry)
        else:
            self._describe(self._tree.directory(at.child(name)), entry)

    def _describe(self, directory: Directory, entry: Entry) -> None:
        """Give a directory that is there already everything the entry says, and nothing else."""
        os.fchown(directory.fd, entry.uid, entry.gid)
        os.fchmod(directory.fd, entry.mode)
        clear_attributes(directory.fd)
        set_attributes(directory.fd, entry.xattrs)
        directory.remember(os.fstat(directory.fd))
        directory.mtime, directory.touched = entry.mtime, True
        self._tree.demands.inherited.discard(directory.path)

    # Files

    def _make_file(self, at: Directory, name: bytes, entry: Entry) -> None:
        self._tree.count(entry.size)
        try:
            fd = os.open(name, _NEW, entry.mode, dir_fd=at.fd)
        except FileExistsError:
            self._tree.clear(at, name)
            fd = os.open(name, _NEW, entry.mode, dir_fd=at.fd)
        try:
            self._fill(fd, entry)
            owned = entry.uid or entry.gid or at.gid
            if owned:
                os.fchown(fd, entry.uid, entry.gid)
            if entry.mode & _SET_ID:  # writing and chown(2) take these bits away
                os.fchmod(fd, entry.mode)
            if entry.xattrs:
                set_attributes(fd, entry.xattrs)
            os.utime(fd, ns=(entry.mtime, entry.mtime))
        finally:
            os.close(fd)

    def _fill(self, fd: int, entry: Entry) -> None:
        if entry.segments is None:
            self._copy(fd, entry.stored)
            return
        os.ftruncate(fd, entry.size)
        for offset, length in entry.segments:
            os.lseek(fd, offset, os.SEEK_SET)
            self._copy(fd, length)

    def _copy(self, fd: int, amount: int) -> None:
        for piece in self._stream.pieces(amount):
            written = os.write(fd, piece)
            while written < len(piece):
                written += os.write(fd, piece[written:])
        self._unchecked += amount
        if self._unchecked > _SPACE_CHECK:
            self._unchecked = 0
            self._check_space()

    def _check_space(self) -> None:
        found = os.fstatvfs(self._root_fd)
        if found.f_bavail * found.f_frsize < self._limits.free_bytes:
            raise StorageError(
                f"less than {self._limits.free_bytes} bytes are left on the file system",
                "free some space or put the state directory on a larger disk",
                errno=errno.ENOSPC,
            )

    # Everything else

    def _make_symbolic_link(self, at: Directory, name: bytes, entry: Entry) -> None:
        self._tree.count()
        self._anew(at, name, lambda: os.symlink(entry.target, name, dir_fd=at.fd))
        self._own(at, name, entry)
        _date(at, name, entry)

    def _make_node(self, at: Directory, name: bytes, entry: Entry) -> None:
        if entry.kind == headers.CHARACTER and entry.device == 0:
            raise IntegrityError(
                "a character device 0:0 would hide a file: whiteouts are names that begin with .wh."
            )
        kinds = {headers.CHARACTER: stat.S_IFCHR, headers.BLOCK: stat.S_IFBLK, headers.FIFO: stat.S_IFIFO}
        mode = entry.mode | kinds[entry.kind]
        self._tree.count()
        self._anew(at, name, lambda: os.mknod(name, mode, entry.device, dir_fd=at.fd))
        self._own(at, name, entry)
        if entry.mode & _SET_ID:
            os.chmod(name, entry.mode, dir_fd=at.fd)
        _date(at, name, entry)

    def _make_hard_link(self, at: Directory, name: bytes, entry: Entry) -> None:
        """The link's own header says nothing more: owner, mode and times are those of the file."""
        parent, _slash, base = headers.clean(entry.target).rpartition(b"/")
        source = self._tree.existing_directory(parent)
        found = self._tree.look(source, base) if source is not None and base else None
        if source is None or found is None or self._is_gone_through(source, base, found):
            self._miss(entry)
            return
        if is_whiteout(found):
            raise IntegrityError(f"the layer removes {shown(entry.target)}, to which this is a hard link")
        if stat.S_ISDIR(found.st_mode) or (source is at and base == name):
            raise IntegrityError(f"a hard link to {shown(entry.target)} is not possible")
        self._tree.count(found.st_size if stat.S_ISREG(found.st_mode) else 0)
        self._tree.clear(at, name)
        os.link(base, name, src_dir_fd=source.fd, dst_dir_fd=at.fd, follow_symlinks=False)

    def _is_gone_through(self, at: Directory, name: bytes, found: os.stat_result) -> bool:
        """Is it a directory only because nothing else could be known about it here?"""
        passed = at.child(name) in self._tree.demands.through
        return self._tree.layered and stat.S_ISDIR(found.st_mode) and passed

    def _miss(self, entry: Entry) -> None:
        """The file of a hard link may be in a layer below; in a whole file system it is nowhere."""
        if not self._tree.layered:
            raise IntegrityError(f"it is a hard link to {shown(entry.target)}, which does not exist")
        self._tree.demands.parents = True

    def _anew(self, at: Directory, name: bytes, make: t.Callable[[], None]) -> None:
        try:
            make()
        except FileExistsError:
            self._tree.clear(at, name)
            make()

    def _own(self, at: Directory, name: bytes, entry: Entry) -> None:
        if entry.uid or entry.gid or at.gid:
            os.chown(name, entry.uid, entry.gid, dir_fd=at.fd, follow_symlinks=False)


def _date(at: Directory, name: bytes, entry: Entry) -> None:
    os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=at.fd, follow_symlinks=False)


def _explained(error: OSError, entry: Entry) -> CoracleError:
    """A full disk is the host's trouble; most else (a name too long, a loop of links) is what the entry asked
    for.
    """
    if error.errno in _HOST_ERRORS:
        explained = from_os_error(OSError(error.errno, os.strerror(error.errno or 0)))
    else:
        explained = IntegrityError(error.strerror or str(error), errno=error.errno)
    explained.during(f"entry {shown(entry.path)}")
    return explained
