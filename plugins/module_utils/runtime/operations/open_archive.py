# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Image archives as named members, whatever holds them.

    tar file                     read at any place, by several threads
    tar file, gzip or zstd       read from its start to its end; small members are remembered on the way
    directory (OCI layout)       as a tar file

Only regular files are members. Symbolic links, hard links and devices do not exist here, so nothing in an
archive can lead to a file outside of it, or to a member under another name.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ..errors import IntegrityError, InvalidInput, NotFound, doing
from ..layers.decompress import compression_of, decompressor
from ..layers.headers import REGULAR, Entry, known_for_a_tar, read_entries, shown
from ..layers.limits import Limits
from ..layers.stream import HashedStream
from ..oci.strict_json import MAX_DOCUMENT

_MAX_MEMBERS = 100_000
_REMEMBERED = 32 << 20  # bytes of small members of a compressed archive
_SMALL = 1 << 20
_CHUNK = 1 << 20
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class Archive:
    """`members`: name → size in bytes. `in_order`: only `walk` is cheap, `open` starts at the beginning."""

    in_order = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.members: dict[str, int] = {}

    def open(self, name: str, offset: int = 0) -> MemberReader:
        """The content of a member from an offset on. NotFound if there is no such member."""
        raise NotImplementedError

    def walk(self) -> t.Iterator[tuple[str, MemberReader]]:
        """All members in their order; each is read before the next is asked for."""
        for name in self.members:
            yield name, self.open(name)

    def read(self, name: str, limit: int = MAX_DOCUMENT) -> bytes:
        """A whole small member. IntegrityError if it has more than `limit` bytes."""
        if self._size(name) > limit:
            raise IntegrityError(f"{name} in {self.path} has more than {limit} bytes")
        with self.open(name) as reader:
            return reader.read()

    def close(self) -> None:
        pass

    def _size(self, name: str) -> int:
        if name not in self.members:
            raise NotFound(f"{self.path} has no member {name}")
        return self.members[name]

    def _note(self, name: str, size: int) -> None:
        if name in self.members:
            raise IntegrityError(f"{self.path} has two members called {name}")
        if len(self.members) >= _MAX_MEMBERS:
            raise IntegrityError(f"{self.path} has more than {_MAX_MEMBERS} members")
        self.members[name] = size


class MemberReader:
    """`size` bytes that `fill(view)` gives piece by piece. IntegrityError if the source ends before them."""

    def __init__(
        self,
        what: str,
        size: int,
        fill: t.Callable[[memoryview], int],
        close: t.Callable[[], None] = lambda: None,
    ) -> None:
        self.left = size
        self._what = what
        self._fill = fill
        self._close = close

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        view = memoryview(buffer)[: self.left]
        if not view:
            return 0
        count = self._fill(view)
        if not count:
            raise IntegrityError(f"{self._what} is truncated")
        self.left -= count
        return count

    def read(self) -> bytes:
        """All that is left, which the caller has bounded."""
        buffer = bytearray(self.left)
        view = memoryview(buffer)
        while self.left:
            view = view[self.readinto(view) :]
        return bytes(buffer)

    def skip(self, amount: int) -> None:
        scratch = memoryview(bytearray(min(amount, _CHUNK)))
        while amount:
            amount -= self.readinto(scratch[:amount])

    def close(self) -> None:
        self._close()

    def __enter__(self) -> MemberReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_archive(path: str) -> Archive:
    """The archive at `path`: a tar file, compressed or not, or a directory. The caller closes it.

    Raises NotFound, InvalidInput for what is neither, IntegrityError for a damaged tar.
    """
    with doing(f"read {path}"):
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            raise NotFound("there is no such file or directory on this host") from None
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            return _Directory(path, fd)
        if not stat.S_ISREG(mode):
            os.close(fd)
            raise InvalidInput("it is neither a file nor a directory")
        compression = compression_of(os.pread(fd, 8, 0))
        return _Tar(path, fd) if compression == "none" else _CompressedTar(path, fd, compression)


class _File(Archive):
    """An archive with an open descriptor, which is closed when the index cannot be made."""

    def __init__(self, path: str, fd: int) -> None:
        super().__init__(path)
        self._fd = fd
        try:
            self._index()
        except BaseException:
            self.close()
            raise

    def _index(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Tar(_File):
    def _index(self) -> None:
        self._offsets: dict[str, int] = {}
        for _start in known_for_a_tar([os.pread(self._fd, 512, 0)]):
            pass
        stream = _SeekableTar(self._fd)
        for entry in read_entries(stream):
            name = _member_name(entry)
            if name:
                self._note(name, entry.size)
                self._offsets[name] = stream.at
            stream.skip(entry.stored)

    def open(self, name: str, offset: int = 0) -> MemberReader:
        size = self._size(name)
        at = self._offsets[name] + offset

        def fill(view: memoryview) -> int:
            nonlocal at
            count = os.preadv(self._fd, [view], at)
            at += count
            return count

        return MemberReader(f"{name} in {self.path}", size - offset, fill)


class _SeekableTar(HashedStream):
    """What a tar reader asks of a stream, without reading what it only skips."""

    def __init__(self, fd: int) -> None:
        super().__init__(iter(()))
        self.at = 0
        self._fd = fd
        self._end = os.fstat(fd).st_size

    def block(self) -> bytes | None:
        return self.take(512) if self.at < self._end else None

    def pieces(self, amount: int) -> t.Iterator[memoryview]:
        while amount:
            piece = os.pread(self._fd, min(amount, _CHUNK), self.at)
            if not piece:
                raise IntegrityError("the archive is truncated")
            self.at += len(piece)
            amount -= len(piece)
            yield memoryview(piece)

    def skip(self, amount: int) -> None:
        self.at += amount
        if self.at > self._end:
            raise IntegrityError("the archive is truncated")

    def skip_padding(self, amount: int) -> None:
        self.at = min(self.at + amount, self._end)


class _CompressedTar(_File):
    in_order = True

    def __init__(self, path: str, fd: int, compression: str) -> None:
        self._compression = compression
        self._remembered: dict[str, bytes] = {}
        super().__init__(path, fd)

    def _index(self) -> None:
        budget = _REMEMBERED
        for name, reader in self._entries():
            self._note(name, reader.left)
            if reader.left <= min(_SMALL, budget):
                self._remembered[name] = reader.read()
                budget -= len(self._remembered[name])

    def open(self, name: str, offset: int = 0) -> MemberReader:
        size = self._size(name)
        if name in self._remembered:
            content = memoryview(self._remembered[name])[offset:]
            return MemberReader(name, size - offset, _from_memory(content))
        entries = self._entries()
        for found, reader in entries:
            if found == name:
                reader.skip(offset)
                reader._close = entries.close
                return reader
        raise IntegrityError(f"{self.path} changed while it was read")

    def walk(self) -> t.Iterator[tuple[str, MemberReader]]:
        return self._entries()

    def _entries(self) -> t.Generator[tuple[str, MemberReader], None, None]:
        """Its own descriptor: several readers must not share a position."""
        with open(f"/proc/self/fd/{self._fd}", "rb", buffering=0) as file:
            stream = HashedStream(known_for_a_tar(decompressor(self._compression, file.read, Limits())))
            for entry in read_entries(stream):
                name = _member_name(entry)
                reader = MemberReader(f"{name} in {self.path}", entry.stored, _from_stream(stream))
                if name:
                    yield name, reader
                reader.skip(reader.left)


class _Directory(_File):
    """An OCI layout: files at the top and below blobs/sha256."""

    def _index(self) -> None:
        self._list("")
        self._list("blobs/sha256/")

    def _list(self, below: str) -> None:
        try:
            fd = self._open(below.rstrip("/") or ".", os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            with os.scandir(fd) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_file(follow_symlinks=False):
                        self._note(below + entry.name, entry.stat(follow_symlinks=False).st_size)
        finally:
            os.close(fd)

    def open(self, name: str, offset: int = 0) -> MemberReader:
        size = self._size(name)
        fd = self._open(name, 0)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise IntegrityError(f"{name} in {self.path} is not a regular file")
        os.lseek(fd, offset, os.SEEK_SET)
        return MemberReader(
            f"{name} in {self.path}", size - offset, lambda view: os.readv(fd, [view]), lambda: os.close(fd)
        )

    def _open(self, name: str, flags: int) -> int:
        """One component after the other, so that no symbolic link is followed."""
        *directories, last = name.split("/")
        fd = os.dup(self._fd)
        try:
            for directory in directories:
                inner = os.open(directory, _FLAGS | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = inner
            return os.open(last, _FLAGS | os.O_NOFOLLOW | flags, dir_fd=fd)
        finally:
            os.close(fd)


def _member_name(entry: Entry) -> str:
    """Empty for what is no member."""
    if entry.kind != REGULAR or entry.segments is not None:
        return ""
    try:
        return entry.path.decode("utf-8")
    except UnicodeDecodeError:
        raise IntegrityError(f"the member {shown(entry.path)} has a name that is not UTF-8") from None


def _from_memory(content: memoryview) -> t.Callable[[memoryview], int]:
    at = 0

    def fill(view: memoryview) -> int:
        nonlocal at
        piece = content[at : at + len(view)]
        view[: len(piece)] = piece
        at += len(piece)
        return len(piece)

    return fill


def _from_stream(stream: HashedStream) -> t.Callable[[memoryview], int]:
    def fill(view: memoryview) -> int:
        count = 0
        for piece in stream.pieces(len(view)):
            view[count : count + len(piece)] = piece
            count += len(piece)
        return count

    return fill
