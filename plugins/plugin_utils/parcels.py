# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller: listed, packed to be sent, and put in place when they come from a container.

What comes from a container has names that a stranger chose. They are checked when the list is read, and no
link is followed when files are put in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.items import (
    DIRECTORY,
    FILE,
    HARD_LINK,
    LINK,
    Item,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.parcel import Parcel
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.text_diff import add_text

VAULT = b"$ANSIBLE_VAULT;"
_PIECE = 1 << 20
_MOST_SHOWN = 50
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)

Real = t.Callable[[str], str]
"""The path of what a file says: for an encrypted one, that of a decrypted copy."""


class Listed(t.NamedTuple):
    """`files`: where the content of each item is, by its path. `checksum`: SHA-1, if it is a single file."""

    items: list[Item]
    files: dict[str, str]
    checksum: str = ""


def list_files(top: str, *, follow: bool, archive: bool = False, real: Real = lambda path: path) -> Listed:
    """What is at `top`, parents before children; nothing if it is not there."""
    found = Listed([], {})
    if not os.path.lexists(top):
        return found
    checksum = _add(found, top, "", follow or archive, follow, archive, real, ())
    return found._replace(checksum=checksum)


def _add(
    found: Listed,
    top: str,
    path: str,
    follow_this: bool,
    follow: bool,
    archive: bool,
    real: Real,
    above: tuple[tuple[int, int], ...],
) -> str:
    whole = os.path.join(top, path) if path else top
    status = os.stat(whole) if follow_this and os.path.exists(whole) else os.lstat(whole)
    mode, numbers = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid, status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise AnsibleActionFail(f"src: {whole} is a link to a directory above it (local_follow: false)")
        found.items.append(Item(path, DIRECTORY, mode, *numbers))
        for name in sorted(os.listdir(whole)):
            below = f"{path}/{name}" if path else name
            _add(found, top, below, follow and not archive, follow, archive, real, (*above, identity))
    elif stat.S_ISLNK(status.st_mode):
        found.items.append(Item(path, LINK, mode, *numbers, target=os.readlink(whole)))
    elif stat.S_ISREG(status.st_mode):
        whole = real(whole)
        size, digest, checksum = _digests(whole)
        found.items.append(Item(path, FILE, mode, *numbers, size=size, digest=digest))
        found.files[path] = whole
        return checksum
    return ""


def is_encrypted(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(VAULT)) == VAULT


def _digests(path: str) -> tuple[int, str, str]:
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    size = 0
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            sha256.update(piece)
            sha1.update(piece)
    return size, sha256.hexdigest(), sha1.hexdigest()


def write_contents(target: t.BinaryIO, listed: Listed, paths: t.Iterable[str]) -> dict[str, int]:
    """The contents of these items, one after the other; where each begins."""
    items = {item.path: item for item in listed.items}
    stored = {}
    for path in paths:
        stored[path] = start = target.tell()
        with open(listed.files[path], "rb") as file:
            shutil.copyfileobj(file, target, _PIECE)
        if target.tell() - start != items[path].size:
            raise AnsibleActionFail(f"{listed.files[path]} was changed while it was copied")
    return stored


# From a container


class Arrival:
    """Puts what is in a parcel at `top`. Links on the way are not followed; those that `top` itself goes
    through are the user's own.
    """

    def __init__(self, parcel: Parcel, top: str, *, archive: bool, backup: bool) -> None:
        self.backups: list[str] = []
        self._parcel = parcel
        self._top = top
        self._archive = archive
        self._backup = backup

    def unpack(self) -> None:
        os.makedirs(os.path.dirname(self._top) or ".", exist_ok=True)
        late = []
        for item in self._parcel.items():
            with self._parent(item.path) as (parent, name):
                self._put(item, parent, name)
            if item.kind == DIRECTORY:
                late.append(item)
        for item in reversed(late) if self._archive else ():
            with self._parent(item.path) as (parent, name):
                os.utime(name, ns=(item.mtime, item.mtime), dir_fd=parent, follow_symlinks=False)

    @contextlib.contextmanager
    def _parent(self, path: str) -> t.Iterator[tuple[int, str]]:
        """Directory and name of an item; of the top, what is above it."""
        directory, base = os.path.split(self._top)
        steps = [base, *path.split("/")] if path else [base]
        fd = os.open(directory or ".", os.O_RDONLY)
        try:
            for step in steps[:-1]:
                below = os.open(step, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = below
            yield fd, steps[-1]
        finally:
            os.close(fd)

    def _put(self, item: Item, parent: int, name: str) -> None:
        there = _status(parent, name)
        if item.kind == DIRECTORY:
            if there is not None and not stat.S_ISDIR(there.st_mode):
                os.unlink(name, dir_fd=parent)
                there = None
            if there is None:
                os.mkdir(name, 0o700, dir_fd=parent)
            if there is None or self._archive:
                _chmod(parent, name, item.mode)
            return
        if there is not None and stat.S_ISDIR(there.st_mode):
            _remove_directory(parent, name)
            there = None
        if there is not None and item.kind == FILE and not self._parcel.has(item):
            _chmod(parent, name, item.mode)
            return
        if there is not None and self._backup:
            self.backups.append(_back_up(parent, name, os.path.join(self._top, item.path).rstrip("/")))
        self._replace(item, parent, name)

    def _replace(self, item: Item, parent: int, name: str) -> None:
        temporary = f".{name[:200]}.{os.urandom(6).hex()}"
        try:
            if item.kind == LINK:
                os.symlink(item.target, temporary, dir_fd=parent)
            elif item.kind == HARD_LINK:
                with self._parent(item.target) as (directory, original):
                    os.link(
                        original, temporary, src_dir_fd=directory, dst_dir_fd=parent, follow_symlinks=False
                    )
            elif item.kind == FILE:
                self._write(item, parent, temporary)
            else:
                return
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=parent)
            raise

    def _write(self, item: Item, parent: int, name: str) -> None:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent)
        with open(fd, "wb") as file:
            for offset, piece in self._parcel.content(item):
                file.seek(offset)
                file.write(piece)
            file.truncate(item.size)
            os.fchmod(file.fileno(), item.mode)
            file.flush()
            os.fsync(file.fileno())
            if self._archive:
                os.utime(file.fileno(), ns=(item.mtime, item.mtime))


def shown_arrivals(parcel: Parcel, top: str, largest: int) -> list[dict[str, t.Any]]:
    """What is put in place, as Ansible's diff shows it."""
    shown: list[dict[str, t.Any]] = []
    for item in parcel.items():
        if item.kind != FILE or not (parcel.has(item) or item.size > largest):
            continue
        path = os.path.join(top, item.path) if item.path else top
        diff: dict[str, t.Any] = {"before_header": path, "after_header": path, "before": ""}
        if os.path.isfile(path):
            add_text(diff, "before", "dst", os.path.getsize(path), lambda path=path: _read(path), largest)
        add_text(diff, "after", "src", item.size, lambda item=item: _read_item(parcel, item), largest)
        shown.append(diff)
        if len(shown) >= _MOST_SHOWN:
            break
    return shown


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _read_item(parcel: Parcel, item: Item) -> bytes:
    data = bytearray(item.size)
    for offset, piece in parcel.content(item):
        data[offset : offset + len(piece)] = piece
    return bytes(data)


def _status(parent: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _chmod(parent: int, name: str, mode: int) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0), dir_fd=parent)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def _remove_directory(parent: int, name: str) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.fchdir(parent)
        shutil.rmtree(name)
    finally:
        os.fchdir(here)
        os.close(here)


def _back_up(parent: int, name: str, path: str) -> str:
    import time

    end = f".{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S')}~"
    os.link(name, name + end, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    return path + end


@contextlib.contextmanager
def temporary_file(directory: str) -> t.Iterator[t.BinaryIO]:
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        yield t.cast("t.BinaryIO", file)
