# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tar headers, read strictly and within bounds: v7, ustar, GNU, star and pax, sparse files of all four kinds.

Nothing is believed: checksums and numbers are checked, extended headers are bounded before they are read,
sizes are never negative. Where formats overlap we decide as Go's archive/tar does, which read almost every
image before us. Names stay bytes: file names are not text. Sources: pax(1) of POSIX.1-2017, `tar.h` and
"Sparse Formats" of GNU tar.
"""

from __future__ import annotations

import os
import typing as t

from ..errors import IntegrityError, InvalidInput
from .limits import HEADER_LIMIT
from .stream import HashedStream

REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK, DIRECTORY, FIFO = (
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
)
_KINDS = {REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK, DIRECTORY, FIFO}
_OLD_REGULAR, _CONTIGUOUS, _GNU_SPARSE = b"\0", b"7", b"S"
_FILES = (REGULAR, _OLD_REGULAR, _CONTIGUOUS, _GNU_SPARSE)
_PAX, _PAX_GLOBAL, _GNU_LONG_NAME, _GNU_LONG_LINK = b"x", b"g", b"L", b"K"

_ZEROS = bytes(512)
_XATTR = b"SCHILY.xattr."
_LAST_ID = (1 << 32) - 2  # the one above means "leave as it is" to chown(2)
_LAST_MAJOR, _LAST_MINOR = (1 << 12) - 1, (1 << 20) - 1  # linux/kdev_t.h
_LAST_SECOND = 1 << 40
_LONGEST_NUMBER = 18  # digits, in decimal: fits in 64 bits

Segments = list[tuple[int, int]]


class Entry(t.NamedTuple):
    """One object of a layer. `path` is clean: relative, without `.` and `..`, empty for the root.

    `stored` bytes of content follow in the stream; a file has `size`. They differ for a sparse file:
    `segments` then gives (offset, length) of the stored parts. `target` belongs to links, `device` to
    devices. `mtime` is in nanoseconds.
    """

    path: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    stored: int
    target: bytes
    device: int
    xattrs: dict[bytes, bytes]
    segments: Segments | None


def read_entries(stream: HashedStream) -> t.Iterator[Entry]:
    """The objects of a layer in their order. Before asking for the next one the caller reads `stored` bytes
    of content.
    """
    pax: dict[bytes, bytes] = {}
    names: dict[bytes, bytes] = {}
    while True:
        header = stream.block()
        if header is None or (header == _ZEROS and _ends(stream)):
            break
        _check_sum(header)
        kind = header[156:157]
        if kind == _PAX:
            pax = _pax_records(_extension(stream, header))
        elif kind == _PAX_GLOBAL:
            stream.skip(_padded(_extension_size(header)))
        elif kind in (_GNU_LONG_NAME, _GNU_LONG_LINK):
            names[kind] = _text(_extension(stream, header))
        else:
            entry = _entry(stream, header, kind, pax, names)
            yield entry
            stream.skip_padding(-entry.stored % 512)
            pax, names = {}, {}
    if pax or names:
        raise IntegrityError("an extended tar header is followed by nothing")


def known_for_a_tar(pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """The same pieces; InvalidInput at once if they do not begin as a tar does: with a header, or with the
    zeros of an empty one.
    """
    start, checked = b"", False
    for piece in pieces:
        if not checked:
            start += piece[: 512 - len(start)]
            checked = len(start) == 512
            if checked and start != _ZEROS:
                _check_start(start)
        yield piece
    if not checked:
        raise _no_tar()


def _check_start(header: bytes) -> None:
    try:
        _check_sum(header)
    except IntegrityError:
        raise _no_tar() from None


def _no_tar() -> InvalidInput:
    return InvalidInput("it is not a tar file", "give a tar, plain or compressed by gzip or zstd")


def clean(path: bytes) -> bytes:
    """The path below the root that a name in an archive means: `..` never climbs above the root."""
    steps: list[bytes] = []
    for step in path.split(b"/"):
        if step == b"..":
            del steps[-1:]
        elif step not in (b"", b"."):
            steps.append(step)
    return b"/".join(steps)


def _ends(stream: HashedStream) -> bool:
    """After one block of zeros: a second one or the end of the stream ends the archive, anything else is
    damage.
    """
    if stream.block() in (None, _ZEROS):
        return True
    raise IntegrityError("a block of zeros stands between tar headers")


def _check_sum(header: bytes) -> None:
    """The sum of all bytes, its own field taken as spaces. Old tars added signed chars; both are in use."""
    stated = _number(header[148:156])
    total = sum(header) - sum(header[148:156]) + 8 * 32
    if stated != total and stated != total - 256 * sum(byte > 127 for byte in header[:148] + header[156:]):
        raise IntegrityError("a tar header has a wrong checksum")


# One object


def _entry(
    stream: HashedStream, header: bytes, kind: bytes, pax: dict[bytes, bytes], names: dict[bytes, bytes]
) -> Entry:
    name = names.get(_GNU_LONG_NAME) or pax.get(b"path") or _ustar_name(header)
    target = names.get(_GNU_LONG_LINK) or pax.get(b"linkpath") or _text(header[157:257])
    stored = _pax_number(pax, b"size", _number(header[124:136]))
    segments, size = None, stored
    if kind == _GNU_SPARSE:
        segments, size = _gnu_segments(stream, header)
    elif (b"GNU.sparse.major" in pax or b"GNU.sparse.map" in pax) and kind in _FILES:
        name = pax.get(b"GNU.sparse.name") or name
        segments, size, stored = _pax_segments(stream, pax, stored)
    if kind == _OLD_REGULAR and name.endswith(b"/"):
        kind = DIRECTORY
    elif kind in _FILES:
        kind = REGULAR
    if kind not in _KINDS:
        raise IntegrityError(f"tar entry {shown(name)} is of the unknown type {kind!r}")
    if kind != REGULAR:
        segments, size, stored = None, 0, 0  # whatever the header says, no content follows
    elif segments is not None:
        _check_segments(segments, size, stored, name)
    return Entry(
        path=clean(name),
        kind=kind,
        mode=_number(header[100:108]) & 0o7777,
        uid=_owner(pax, b"uid", header[108:116]),
        gid=_owner(pax, b"gid", header[116:124]),
        mtime=_mtime(pax, header[136:148]),
        size=size,
        stored=stored,
        target=target,
        device=_device(header) if kind in (CHARACTER, BLOCK) else 0,
        xattrs=_attributes(pax) if pax else {},
        segments=segments,
    )


def _attributes(pax: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Extended attributes; an empty value means here, as in all of pax, that there is none."""
    return {key[len(_XATTR) :]: value for key, value in pax.items() if value and key.startswith(_XATTR)}


def _ustar_name(header: bytes) -> bytes:
    name = _text(header[:100])
    if header[257:263] != b"ustar\0":
        return name
    prefix = _text(header[345:476] if header[508:512] == b"tar\0" else header[345:500])
    return prefix + b"/" + name if prefix else name


def _owner(pax: dict[bytes, bytes], key: bytes, field: bytes) -> int:
    number = _pax_number(pax, key, _number(field, signed=True))
    if not 0 <= number <= _LAST_ID:
        raise IntegrityError(f"a tar entry has the {key.decode()} {number}")
    return number


def _device(header: bytes) -> int:
    major, minor = _number(header[329:337], signed=True), _number(header[337:345], signed=True)
    if not 0 <= major <= _LAST_MAJOR or not 0 <= minor <= _LAST_MINOR:
        raise IntegrityError(f"a tar entry is a device with the numbers {major}:{minor}")
    return os.makedev(major, minor)


def _mtime(pax: dict[bytes, bytes], field: bytes) -> int:
    value = pax.get(b"mtime")
    if not value:
        seconds, nanoseconds = _number(field, signed=True), 0
    else:
        whole, _point, fraction = value.partition(b".")
        digits = whole[1:] if whole.startswith(b"-") else whole
        if not digits.isdigit() or len(digits) > _LONGEST_NUMBER or (fraction and not fraction.isdigit()):
            raise IntegrityError(f"a tar entry has the time {shown(value)}")
        sign = -1 if whole.startswith(b"-") else 1
        seconds, nanoseconds = int(whole), sign * int(fraction[:9].ljust(9, b"0"))
    return max(-_LAST_SECOND, min(seconds, _LAST_SECOND)) * 10**9 + nanoseconds


# Fields


def shown(name: bytes) -> str:
    """A name for a message: printable, and not longer than a line."""
    text = repr(name)[2:-1]
    return text if len(text) <= 200 else text[:200] + "…"


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, signed: bool = False) -> int:
    """Octal digits within spaces and zeros, or, with the top bit set, a big-endian number in base 256."""
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        if value >> (bits - 1):
            value -= 1 << bits
        if not (-(1 << 63) if signed else 0) <= value < 1 << 63:
            raise IntegrityError(f"a tar header has the number {value}")
        return value
    digits = _text(field.strip(b" \0"))
    if not digits:
        return 0
    try:
        if digits.isdigit():  # int() alone would take signs and underscores
            return int(digits, 8)
    except ValueError:
        pass
    raise _bad_number(digits)


def _bad_number(digits: bytes) -> IntegrityError:
    return IntegrityError(f"a tar header has {shown(digits)} where a number belongs")


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        raise _bad_number(digits)
    return int(digits)


def _pax_number(pax: dict[bytes, bytes], key: bytes, otherwise: int) -> int:
    value = pax.get(key)
    return _decimal(value) if value else otherwise


# Extended headers


def _padded(size: int) -> int:
    return size + -size % 512


def _extension_size(header: bytes) -> int:
    size = _number(header[124:136])
    if size > HEADER_LIMIT:
        raise IntegrityError(f"an extended tar header of {size} bytes is larger than {HEADER_LIMIT}")
    return size


def _extension(stream: HashedStream, header: bytes) -> bytes:
    size = _extension_size(header)
    return stream.take(_padded(size))[:size]


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """`<length> <key>=<value>\\n`, again and again. The pairs of sparse format 0.0 are gathered under
    `GNU.sparse.map`.
    """
    records: dict[bytes, bytes] = {}
    sparse: list[bytes] = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = _decimal(data[at:space]) if space > at else 0
        end = at + length
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if (
            space < at
            or end > len(data)
            or end - 1 <= space
            or data[end - 1 : end] != b"\n"
            or not equals
            or not key
        ):
            raise IntegrityError("a pax header is malformed")
        if b"\0" in key or (b"\0" in value and not key.startswith(_XATTR)):
            raise IntegrityError(f"a pax header has a zero byte in {shown(key)}")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            sparse.append(value)
        else:
            records[key] = value
        at = end
    if sparse:
        records[b"GNU.sparse.map"] = b",".join(sparse)
    return records


# Sparse files


def _gnu_segments(stream: HashedStream, header: bytes) -> tuple[Segments, int]:
    """The old GNU format: four pairs in the header, then blocks of twenty-one while a flag says so."""
    segments = _segment_fields(header[386:482])
    more = header[482]
    budget = HEADER_LIMIT
    while more:
        budget -= 512
        block = stream.take(512)
        segments += _segment_fields(block[:504])
        more = block[504]
        if budget <= 0:
            raise IntegrityError("a sparse file has too many parts")
    return segments, _number(header[483:495])


def _segment_fields(fields: bytes) -> Segments:
    pairs = [fields[at : at + 24] for at in range(0, len(fields), 24)]
    return [(_number(pair[:12]), _number(pair[12:])) for pair in pairs if pair[0]]


def _pax_segments(stream: HashedStream, pax: dict[bytes, bytes], stored: int) -> tuple[Segments, int, int]:
    """Formats 0.0 and 0.1 list the parts in the header, 1.0 in front of the content: (segments, size, stored
    after that).
    """
    size = _decimal(pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size") or b"")
    if pax.get(b"GNU.sparse.major") == b"1":
        numbers, used = _map_in_content(stream)
        if used > stored:
            raise IntegrityError("the map of a sparse file is longer than the file")
        stored -= used
    else:
        numbers = [_decimal(number) for number in pax.get(b"GNU.sparse.map", b"").split(b",") if number]
    if len(numbers) % 2:
        raise IntegrityError("the map of a sparse file is malformed")
    return list(zip(numbers[::2], numbers[1::2])), size, stored


def _map_in_content(stream: HashedStream) -> tuple[list[int], int]:
    """Decimal numbers, a newline after each: how many pairs, then the pairs. Returns them and the bytes they
    took.
    """
    lines: list[bytes] = []
    rest = b""
    used = 0
    wanted = 1
    while len(lines) < wanted:
        used += 512
        if used > HEADER_LIMIT:
            raise IntegrityError("the map of a sparse file is too long")
        *complete, rest = (rest + stream.take(512)).split(b"\n")
        lines += complete
        if lines:
            wanted = 1 + 2 * _decimal(lines[0])
        if len(lines) < wanted and len(rest) > _LONGEST_NUMBER:
            raise IntegrityError("the map of a sparse file is malformed")
    return [_decimal(line) for line in lines[1:wanted]], used


def _check_segments(segments: Segments, size: int, stored: int, name: bytes) -> None:
    end = 0
    for offset, length in segments:
        if offset < end or offset + length > size:
            raise IntegrityError(f"the sparse file {shown(name)} has parts that overlap or exceed its size")
        end = offset + length
    if sum(length for _offset, length in segments) != stored:
        raise IntegrityError(f"the sparse file {shown(name)} has {stored} bytes of content for other parts")
