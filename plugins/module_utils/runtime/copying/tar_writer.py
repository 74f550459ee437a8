# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files as a tar stream (POSIX.1-2001, pax), written as they are read: nothing is held."""

from __future__ import annotations

import typing as t

from .items import DIRECTORY, FILE, HARD_LINK, LINK, Item, Source

_PIECE = 1 << 20
_RECORD = 10240  # what a tar is a multiple of


def write_tar(source: Source, write: t.Callable[[bytes], t.Any], name: str) -> int:
    """`name` is what the top is called, `.` if only the content of a directory is meant. The bytes of the
    files.
    """
    total = written = 0
    for item in source.items():
        header = _header(item, name)
        write(header)
        written += len(header)
        if item.kind == FILE:
            _write_content(source, item, write)
            total += item.size
            written += item.size + -item.size % 512
    end = 1024 + -(written + 1024) % _RECORD
    write(bytes(end))
    return total


def _write_content(source: Source, item: Item, write: t.Callable[[bytes], t.Any]) -> None:
    at = 0
    for offset, piece in source.content(item):
        _write_zeros(write, offset - at)
        write(piece)
        at = offset + len(piece)
    _write_zeros(write, item.size - at + -item.size % 512)


def _write_zeros(write: t.Callable[[bytes], t.Any], amount: int) -> None:
    while amount > 0:
        write(bytes(min(amount, _PIECE)))
        amount -= _PIECE


def _header(item: Item, name: str) -> bytes:
    import tarfile

    kinds = {DIRECTORY: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE, HARD_LINK: tarfile.LNKTYPE}
    info = tarfile.TarInfo(f"{name}/{item.path}" if item.path else name)
    info.type = tarfile.REGTYPE if item.kind == FILE else kinds.get(item.kind, tarfile.FIFOTYPE)
    info.mode, info.uid, info.gid, info.size = item.mode, item.uid, item.gid, item.size
    seconds, rest = divmod(item.mtime, 10**9)
    info.mtime = seconds
    info.linkname = f"{name}/{item.target}" if item.kind == HARD_LINK else item.target
    extended = {f"SCHILY.xattr.{key}": value.decode("utf-8", "surrogateescape")
                for key, value in item.xattrs.items()}  # fmt: skip
    if rest:
        extended["mtime"] = f"{seconds}.{rest:09d}"
    info.pax_headers = extended
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
