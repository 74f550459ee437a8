# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The blob store: manifests, image configs and compressed layers, each under the sha256 of its bytes.

    root/
      blobs/sha256/<hex>   complete and synced before it got this name; checked again whenever it is read
      ingest/<hex>         a download under way: its first bytes, in order; never trusted

Locks: an ingest file carries a flock as long as somebody writes it; `content` (linux/locks.py), held shared
by everyone who adds and exclusively by the garbage collection, keeps a blob from vanishing between its
arrival and its first reference.

What a crash leaves: an ingest file without a flock, which the next ingest of the same blob continues (after
hashing what is there: after a power cut those bytes may be anything) and the garbage collection removes.
Never a wrong blob under a name.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import typing as t

from ..errors import Conflict, IntegrityError, NotFound
from ..linux.files import (
    fsync_directory,
    make_private_directory,
    names_inode,
    sync_filesystem,
    write_atomically,
)
from ..linux.locks import holders_of
from ..oci.digest import VerifyingReader, hex_of, sha256_digest
from ..paths import Paths

CHUNK = 1 << 17
DOCUMENT_LIMIT = 4 << 20  # manifests and configs, as the distribution specification allows


class BlobStore:
    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def path(self, digest: str) -> str:
        return os.path.join(self._paths.blobs, hex_of(digest))

    def has(self, digest: str, size: int | None = None) -> bool:
        """Is a blob of this digest (and size in bytes) there? Its bytes are checked when they are read."""
        try:
            found = os.stat(self.path(digest), follow_symlinks=False)
        except FileNotFoundError:
            return False
        return size is None or found.st_size == size

    def bytes_here(self, digest: str) -> int:
        """How much of a blob is on disk, complete or as the beginning of a download."""
        for directory in (self._paths.blobs, self._paths.ingest):
            with contextlib.suppress(FileNotFoundError):
                return os.stat(os.path.join(directory, hex_of(digest)), follow_symlinks=False).st_size
        return 0

    def open(self, digest: str, size: int | None = None) -> VerifyingReader:
        """A reader of the blob that raises IntegrityError where the bytes are not those of `digest` and
        `size`.

        Without `size` the digest alone decides. The caller closes it (it is a context manager).
        """
        try:
            raw = open(self.path(digest), "rb", buffering=0)  # noqa: SIM115 - the reader owns it
        except FileNotFoundError:
            raise NotFound(f"blob {digest} is not in the store") from None
        return VerifyingReader(raw, digest, os.fstat(raw.fileno()).st_size if size is None else size)

    def read(self, digest: str, limit: int = DOCUMENT_LIMIT) -> bytes:
        """A whole document, verified. IntegrityError where it is damaged or longer than `limit` bytes."""
        pieces: list[bytes] = []
        with self.open(digest) as reader:
            left = limit
            while piece := reader.read(CHUNK):
                left -= len(piece)
                if left < 0:
                    raise IntegrityError(f"document {digest} is longer than {limit} bytes")
                pieces.append(piece)
        return b"".join(pieces)

    def put(self, data: bytes) -> str:
        """Store a document and return its digest; on return it is on disk. A damaged one of the same name is
        replaced.
        """
        digest = sha256_digest(data)
        if not self._holds(digest, data):
            self._make_directories()
            write_atomically(self.path(digest), data)
        return digest

    def ingest(self, digest: str, size: int) -> Ingest:
        """Begin or go on with a blob of `size` bytes. Conflict if somebody else is writing it."""
        self._make_directories()
        return Ingest(os.path.join(self._paths.ingest, hex_of(digest)), self.path(digest), digest, size)

    def commit(self, ingests: t.Sequence[Ingest]) -> None:
        """Give complete, verified ingests their names. Their bytes, and all else on the file system, are
        synced first, once.
        """
        if not ingests:
            return
        for ingest in ingests:
            ingest.verify()
        sync_filesystem(self._paths.ingest)
        for ingest in ingests:
            ingest.rename()
        fsync_directory(self._paths.blobs)

    def remove(self, digest: str) -> int:
        """Forget a blob; returns the bytes it held, 0 if it was not there."""
        return _unlink(self.path(digest))

    def size(self, digest: str) -> int:
        """The bytes that a blob holds, 0 if it is not there."""
        return _size(self.path(digest))

    def digests(self) -> t.Iterator[str]:
        for name in _names(self._paths.blobs):
            yield f"sha256:{name}"

    def sweep_ingest(self) -> int:
        """Remove downloads that nobody is writing; returns the bytes they held."""
        freed = 0
        for name in _names(self._paths.ingest):
            path = os.path.join(self._paths.ingest, name)
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                freed += _unlink(path)
            except BlockingIOError:
                pass
            finally:
                os.close(fd)
        return freed

    def measure_ingest(self) -> int:
        """The bytes that `sweep_ingest` would free. Takes no lock: that would look like a writer."""
        measured = 0
        for name in _names(self._paths.ingest):
            with contextlib.suppress(FileNotFoundError), open(os.path.join(self._paths.ingest, name)) as file:
                measured += 0 if holders_of(file.fileno()) else os.fstat(file.fileno()).st_size
        return measured

    def _holds(self, digest: str, data: bytes) -> bool:
        try:
            with open(self.path(digest), "rb") as file:
                return file.read(len(data) + 1) == data
        except FileNotFoundError:
            return False

    def _make_directories(self) -> None:
        for directory in (os.path.dirname(self._paths.blobs), self._paths.blobs, self._paths.ingest):
            make_private_directory(directory)


class Ingest:
    """One download on its way to becoming a blob: bytes are appended in order and hashed as they pass.

    First `replay()` what an earlier attempt left (`offset` bytes), then `write` the rest, then let
    BlobStore.commit name it. Leaving the `with` block keeps the file, for the next attempt to continue,
    unless `discard` was called.
    """

    def __init__(self, path: str, final_path: str, digest: str, size: int) -> None:
        self.digest = digest
        self.size = size
        self._path = path
        self._final_path = final_path
        self._hash = hashlib.sha256()
        self._fd = _open_locked(path)
        found = os.fstat(self._fd).st_size
        if found > size:
            os.ftruncate(self._fd, 0)
            found = 0
        self.offset = found  # bytes an earlier attempt left
        self.position = 0  # bytes that were hashed in this attempt

    def replay(self) -> t.Iterator[bytes]:
        """The bytes that are there already, hashed on the way."""
        while self.position < self.offset:
            piece = os.pread(self._fd, min(CHUNK, self.offset - self.position), self.position)
            if not piece:
                raise IntegrityError(f"the download of {self.digest} shrank while it was read")
            self._hash.update(piece)
            self.position += len(piece)
            yield piece

    def write(self, piece: bytes | memoryview) -> None:
        """Append. IntegrityError once there are more bytes than were announced."""
        if self.position + len(piece) > self.size:
            raise IntegrityError(
                f"blob {self.digest} is longer than the {self.size} bytes that were announced"
            )
        view = memoryview(piece)
        self._hash.update(view)
        while view:
            written = os.pwrite(self._fd, view, self.position)
            self.position += written
            view = view[written:]

    def verify(self) -> None:
        """IntegrityError unless exactly the announced bytes are there."""
        if self.position != self.size:
            raise IntegrityError(f"blob {self.digest} has {self.position} bytes, {self.size} were announced")
        found = "sha256:" + self._hash.hexdigest()
        if found != self.digest:
            raise IntegrityError(f"blob {self.digest} has the digest {found}")

    def rename(self) -> None:
        """Only for BlobStore.commit, which has synced the bytes."""
        os.rename(self._path, self._final_path)
        self.close()

    def discard(self) -> None:
        if self._fd >= 0:
            _unlink(self._path)
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Ingest:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _open_locked(path: str) -> int:
    """Open or make an ingest file and take its flock; again if it was renamed or removed in between."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(fd, 0o600)
            if names_inode(path, fd):
                return fd
        except BlockingIOError:
            os.close(fd)
            raise Conflict(
                f"blob sha256:{os.path.basename(path)} is being written by another process"
            ) from None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _unlink(path: str) -> int:
    size = _size(path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return size


def _names(directory: str) -> list[str]:
    """Names that are a digest's hex: anything else in the directory is not ours to touch."""
    try:
        return sorted(name for name in os.listdir(directory) if len(name) == 64)
    except FileNotFoundError:
        return []
