# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Layer tars byte by byte: what no honest program writes, tests have to.

archive(directory("etc"), file("etc/motd", b"hello"), symbolic_link("lib", "usr/lib"), whiteout("etc/old"))
"""

from __future__ import annotations

import os
import typing as t

BLOCK = 512
MTIME = 1_600_000_000
END = bytes(2 * BLOCK)
Name = t.Union[str, bytes]


def encoded(name: Name) -> bytes:
    return os.fsencode(name)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def octal(value: int, width: int) -> bytes:
    """As octal digits, or in base 256 where they do not fit."""
    digits = b"%0*o\0" % (width - 1, value)
    return digits if len(digits) <= width else b"\x80" + value.to_bytes(width - 1, "big")


def header(
    name: Name,
    kind: bytes = b"0",
    *,
    size: int | bytes = 0,
    mode: int | bytes = 0o644,
    uid: int | bytes = 0,
    gid: int | bytes = 0,
    mtime: int | bytes = MTIME,
    target: Name = b"",
    major: int | bytes = 0,
    minor: int | bytes = 0,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
) -> bytes:
    """One block with a right checksum. A number given as bytes goes in as it is."""

    def number(value: int | bytes, width: int) -> bytes:
        return (octal(value, width) if isinstance(value, int) else value).ljust(width, b"\0")

    parts = [
        encoded(name)[:100].ljust(100, b"\0"),
        number(mode, 8),
        number(uid, 8),
        number(gid, 8),
        number(size, 12),
        number(mtime, 12),
        b" " * 8,
        kind,
        encoded(target)[:100].ljust(100, b"\0"),
        magic,
        bytes(64),
        number(major, 8),
        number(minor, 8),
        prefix.ljust(167, b"\0"),
    ]
    return with_checksum(b"".join(parts))


def with_checksum(block: bytes) -> bytes:
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def pax(records: t.Mapping[str, Name], kind: bytes = b"x") -> bytes:
    """An extended header with `records`; values may be any bytes."""
    data = b"".join(pax_record(key.encode(), encoded(value)) for key, value in records.items())
    return header("PaxHeaders/x", kind, size=len(data)) + padded(data)


def pax_record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


def gnu_long(name: Name, kind: bytes = b"L") -> bytes:
    data = encoded(name) + b"\0"
    return header("././@LongLink", kind, size=len(data), magic=b"ustar  \0") + padded(data)


def file(name: Name, content: bytes = b"", **fields: t.Any) -> bytes:
    return header(name, size=len(content), **fields) + padded(content)


def directory(name: Name, mode: int = 0o755, **fields: t.Any) -> bytes:
    return header(name, b"5", mode=mode, **fields)


def symbolic_link(name: Name, target: Name, **fields: t.Any) -> bytes:
    return header(name, b"2", target=target, mode=0o777, **fields)


def hard_link(name: Name, target: Name, **fields: t.Any) -> bytes:
    return header(name, b"1", target=target, **fields)


def fifo(name: Name, **fields: t.Any) -> bytes:
    return header(name, b"6", **fields)


def device(name: Name, major: int | bytes, minor: int | bytes, kind: bytes = b"3", **fields: t.Any) -> bytes:
    return header(name, kind, major=major, minor=minor, **fields)


def whiteout(path: str) -> bytes:
    parent, _slash, name = path.rpartition("/")
    return file(f"{parent}/.wh.{name}" if parent else f".wh.{name}")


def opaque(path: str) -> bytes:
    return file(f"{path}/.wh..wh..opq" if path else ".wh..wh..opq")


def archive(*members: bytes, end: bytes = END) -> bytes:
    return b"".join(members) + end
