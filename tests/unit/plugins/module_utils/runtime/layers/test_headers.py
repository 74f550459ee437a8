# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tar headers: honest ones as Python's tarfile writes them, dishonest ones refused, any bytes without a
surprise.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import IntegrityError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers import headers
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.headers import Entry, clean
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.stream import HashedStream
from ansible_collections.coracle.engine.tests.tars import (
    archive,
    directory,
    file,
    gnu_long,
    header,
    padded,
    pax,
    symbolic_link,
    with_checksum,
)


def entries(data: bytes, chunk: int = 1 << 20) -> list[tuple[Entry, bytes]]:
    """Entries with their stored content."""
    stream = HashedStream(data[at : at + chunk] for at in range(0, len(data), chunk))
    return [(entry, stream.take(entry.stored)) for entry in headers.read_entries(stream)]


def only(data: bytes) -> Entry:
    ((entry, _content),) = entries(data)
    return entry


@given(st.binary(max_size=60) | st.lists(st.sampled_from([b"a", b"..", b".", b""])).map(b"/".join))
def test_clean_is_normpath_below_the_root(path: bytes) -> None:
    assert clean(path) == posixpath.normpath(b"/" + path).lstrip(b"/")


def written(format: int, *members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"c" * member.size))
    return buffer.getvalue()


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_what_tarfile_writes(format: int) -> None:
    plain = tarfile.TarInfo("dir/file")
    plain.size, plain.mode, plain.uid, plain.gid, plain.mtime = 700, 0o4751, 1000, 2000, 1_234_567_890
    long = tarfile.TarInfo("/".join(["part" * 8] * 4) + "/" + "n" * 90)
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "../target"
    node = tarfile.TarInfo("node")
    node.type, node.devmajor, node.devminor = tarfile.BLKTYPE, 8, 1
    found = entries(written(format, plain, long, link, node))
    assert [entry.path for entry, _content in found] == [
        member.name.encode() for member in (plain, long, link, node)
    ]
    first, content = found[0]
    assert content == b"c" * 700
    assert (first.kind, first.mode, first.uid, first.gid) == (headers.REGULAR, 0o4751, 1000, 2000)
    assert (first.mtime, first.size, first.segments) == (1_234_567_890 * 10**9, 700, None)
    assert (found[2][0].kind, found[2][0].target) == (headers.SYMBOLIC_LINK, b"../target")
    assert (found[3][0].kind, found[3][0].device) == (headers.BLOCK, 8 << 8 | 1)


@pytest.mark.parametrize("chunk", [1, 7, 511, 512, 513, 1500])
def test_chunks_do_not_matter(chunk: int) -> None:
    data = archive(directory("d"), file("d/x", b"x" * 1000), pax({"path": "long" * 50}), file("y", b"y"))
    assert entries(data, chunk) == entries(data)


def test_kinds() -> None:
    assert only(archive(file("d/"))).kind == headers.REGULAR
    assert only(archive(header("d/", b"\0", magic=bytes(8)))).kind == headers.DIRECTORY
    assert only(archive(header("f", b"\0"))).kind == headers.REGULAR
    assert only(archive(header("f", b"7"))).kind == headers.REGULAR
    assert only(archive(header("d", b"5", size=1 << 40))).stored == 0, "a directory has no content"


def test_names_are_bytes() -> None:
    assert only(archive(file(b"caf\xe9\xff"))).path == b"caf\xe9\xff"
    assert only(archive(pax({"path": b"\xff\xfe/x"}), file("y"))).path == b"\xff\xfe/x"


def test_prefixes() -> None:
    assert only(archive(file("n", prefix=b"p/q"))).path == b"p/q/n"
    star = header("n", prefix=b"p".ljust(131, b"\0") + b"atime".ljust(32, b"\0") + b"tar\0")
    assert only(archive(star)).path == b"p/n"
    assert only(archive(file("n", prefix=b"p", magic=b"ustar  \0"))).path == b"n", "GNU keeps times there"
    assert only(archive(file("n", prefix=b"p", magic=bytes(8)))).path == b"n"


def test_which_name_wins() -> None:
    assert only(archive(pax({"path": "pax"}), file("ustar"))).path == b"pax"
    assert only(archive(pax({"path": ""}), file("ustar"))).path == b"ustar", "empty: as if it were not there"
    assert only(archive(pax({"path": "pax"}), gnu_long("gnu"), file("ustar"))).path == b"gnu"
    assert only(archive(pax({"path": "first"}), pax({"uid": "7"}), file("ustar"))).path == b"ustar"
    target = only(archive(gnu_long("t" * 120, b"K"), symbolic_link("x", "short"))).target
    assert target == b"t" * 120


def test_extended_headers_belong_to_one_entry() -> None:
    found = entries(archive(pax({"path": "a", "uid": "7"}), file("x"), file("y")))
    assert [(entry.path, entry.uid) for entry, _content in found] == [(b"a", 7), (b"y", 0)]


def test_global_headers_are_passed_over() -> None:
    assert only(archive(pax({"path": "everywhere", "comment": "x" * 600}, b"g"), file("x"))).path == b"x"


def test_attributes() -> None:
    records = {
        "SCHILY.xattr.user.a": b"1\n2=\0",
        "SCHILY.xattr.user.empty": b"",
        "LIBARCHIVE.xattr.user.b": "eA",
    }
    assert only(archive(pax(records), file("x"))).xattrs == {b"user.a": b"1\n2=\0"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5_000_000_000),
        ("5.5", 5_500_000_000),
        ("5.000000001999", 5_000_000_001),
        ("-5.5", -5_500_000_000),
        ("-0.25", -250_000_000),
        ("99999999999999", (1 << 40) * 10**9),
    ],
)
def test_times(text: str, expected: int) -> None:
    assert only(archive(pax({"mtime": text}), file("x"))).mtime == expected


@pytest.mark.parametrize("text", ["x", "1.x", "1e5", "-", ".5", "--1", "9" * 30, "1.-5", "+1"])
def test_bad_times(text: str) -> None:
    with pytest.raises(IntegrityError):
        entries(archive(pax({"mtime": text}), file("x")))


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"0000644\0", 0o644),
        (b"    644 ", 0o644),
        (b"644\0zzzz", 0o644),
        (b"\0" * 8, 0),
        (b"        ", 0),
        (b"\x80\0\0\0\0\0\x01\0", 256),
    ],
)
def test_numbers(field: bytes, expected: int) -> None:
    assert only(archive(file("x", uid=field))).uid == expected


@pytest.mark.parametrize(
    "field",
    [
        b"0o17\0\0\0\0",
        b"1_7\0\0\0\0\0",
        b"+17\0\0\0\0\0",
        b"-17\0\0\0\0\0",
        b"8\0\0\0\0\0\0\0",
        b"1 7\0\0\0\0\0",
        b"\xff" * 8,
        b"\x80\0\0\x01\0\0\0\0",
        b"\xc0\0\0\0\0\0\0\0",
        b"abcdefgh",
    ],
)
def test_bad_numbers(field: bytes) -> None:
    with pytest.raises(IntegrityError):
        entries(archive(file("x", uid=field)))


def test_checksums() -> None:
    block = header(b"\xe9" * 20)
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + b" " * 8 + block[156:])
    assert only(archive(block[:148] + b"%06o\0 " % signed + block[156:])).path == b"\xe9" * 20
    with pytest.raises(IntegrityError, match="checksum"):
        entries(archive(block[:10] + b"x" + block[11:]))


def test_the_end() -> None:
    assert len(entries(archive(file("x"), end=b""))) == 1
    assert len(entries(archive(file("x"), end=bytes(512)))) == 1
    assert len(entries(archive(file("x")) + file("y"))) == 1, "what follows the end is not part of it"
    assert len(entries(archive(file("x", b"x"), end=b"")[:-511])) == 1, "umoci insert pads no last file"
    assert entries(b"") == entries(bytes(512)) == entries(bytes(10240)) == []
    for data in (
        archive(file("x", b"y" * 600), end=b"")[:-512],
        archive(file("x"), end=b"")[:-1],
        archive(pax({"path": "x" * 600}), end=b"")[:-512],
        archive(pax({"path": "x"}), end=b""),
        archive(gnu_long("x")),
        archive(file("x"), bytes(512), file("y")),
    ):
        with pytest.raises(IntegrityError):
            entries(data)


@pytest.mark.parametrize(
    "data",
    [
        b"0 a=b\n",
        b"6 a=b",
        b"6 a:b\n",
        b"5 =b\n",
        b"x a=b\n",
        b"-6 a=b\n",
        b"99999999999999999999 a=b\n",
        b"100 a=b\n",
        b" a=b\n",
        b"3 \n",
        b"\n",
    ],
)
def test_malformed_pax_records(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        entries(archive(header("x", b"x", size=len(data)) + padded(data), file("x")))


def test_extended_headers_are_bounded_before_they_are_read() -> None:
    for kind in (b"x", b"g", b"L", b"K"):
        with pytest.raises(IntegrityError, match="larger than"):
            entries(header("x", kind, size=(1 << 20) + 1))


# Sparse files

OLD_SPARSE_RECORDS = (
    b"22 GNU.sparse.size=20\n24 GNU.sparse.name=real\n"
    b"23 GNU.sparse.offset=0\n25 GNU.sparse.numbytes=2\n"
    b"23 GNU.sparse.offset=8\n25 GNU.sparse.numbytes=1\n"
)


def sparse_pax(records: dict[str, str], content: bytes) -> bytes:
    return archive(pax({f"GNU.sparse.{key}": value for key, value in records.items()}), file("x", content))


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (sparse_pax({"major": "0", "minor": "1", "map": "0,2,8,1", "size": "20", "name": "real"}, b"abc"), 3),
        (
            archive(
                header("x", b"x", size=len(OLD_SPARSE_RECORDS)) + padded(OLD_SPARSE_RECORDS),
                file("x", b"abc"),
            ),
            3,
        ),
        (
            sparse_pax(
                {"major": "1", "minor": "0", "realsize": "20", "name": "real"},
                padded(b"2\n0\n2\n8\n1\n") + b"abc",
            ),
            3,
        ),
    ],
    ids=["0.1", "0.0", "1.0"],
)
def test_sparse_files(data: bytes, stored: int) -> None:
    ((entry, content),) = entries(data)
    assert (entry.path, entry.size, entry.stored, content) == (b"real", 20, stored, b"abc")
    assert entry.segments == [(0, 2), (8, 1)]


def gnu_sparse(pairs: t.Sequence[tuple[int, int]], size: int, content: bytes) -> bytes:
    """The old format: four pairs in the header, twenty-one in each block that follows."""

    def fields(some: t.Sequence[tuple[int, int]], room: int) -> bytes:
        return b"".join(b"%011o\0%011o\0" % pair for pair in some).ljust(24 * room, b"\0")

    more = pairs[4:]
    block = bytearray(header("x", b"S", size=len(content), magic=b"ustar  \0"))
    block[386:482] = fields(pairs[:4], 4)
    block[482] = bool(more)
    block[483:495] = b"%011o\0" % size
    blocks = with_checksum(bytes(block))
    while more:
        blocks += fields(more[:21], 21) + bytes([len(more) > 21]) + bytes(7)
        more = more[21:]
    return archive(blocks + padded(content))


def test_old_sparse_files() -> None:
    for count in (1, 4, 5, 25, 26, 60):
        pairs = [(number * 10, 2) for number in range(count)]
        ((entry, content),) = entries(gnu_sparse(pairs, 1000, b"ab" * count))
        assert (entry.size, entry.segments, content) == (1000, pairs, b"ab" * count)


@pytest.mark.parametrize(
    "data",
    [
        gnu_sparse([(0, 5), (4, 1)], 100, b"abcdef"),
        gnu_sparse([(0, 5)], 3, b"abcde"),
        gnu_sparse([(0, 5)], 100, b"abcdef"),
        sparse_pax({"major": "1", "minor": "0", "realsize": "20"}, padded(b"9999999999\n" + b"0\n" * 100)),
        sparse_pax({"major": "1", "minor": "0", "realsize": "20"}, padded(b"x\n")),
        sparse_pax({"major": "1", "minor": "0", "realsize": "20"}, padded(b"1" * 100)),
        sparse_pax({"major": "1", "minor": "0", "realsize": "-1"}, padded(b"0\n")),
        sparse_pax({"major": "1", "minor": "0"}, padded(b"0\n")),
        sparse_pax({"major": "0", "minor": "1", "map": "0,1,2", "size": "9"}, b"a"),
        sparse_pax({"major": "0", "minor": "1", "map": "0,x", "size": "9"}, b"a"),
    ],
)
def test_bad_sparse_files(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        entries(data)


# Anything


@given(st.binary(max_size=2000))
def test_any_bytes_are_entries_or_an_integrity_error(data: bytes) -> None:
    try:
        entries(data)
    except IntegrityError:
        pass


GOOD = archive(
    pax({"path": "p" * 150, "mtime": "1.5", "SCHILY.xattr.user.x": "y"}),
    file("x", b"content"),
    gnu_long("g" * 150),
    symbolic_link("y", "target"),
    sparse_pax({"major": "1", "minor": "0", "realsize": "20"}, padded(b"1\n0\n2\n") + b"ab"),
)


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=12)), max_size=4),
    st.booleans(),
)
def test_damaged_tars_are_entries_or_an_integrity_error(
    damage: list[tuple[int, bytes]], repaired: bool
) -> None:
    """With the checksum made right again, damage reaches the parsers of fields."""
    data = bytearray(GOOD)
    for at, what in damage:
        data[at : at + len(what)] = what
        block = at - at % 512
        if repaired and len(data) >= block + 512:
            data[block : block + 512] = with_checksum(bytes(data[block : block + 512]))
    try:
        for entry, _content in entries(bytes(data)):
            assert entry.size >= entry.stored >= 0 or entry.segments is not None
            assert b".." not in entry.path.split(b"/")
    except IntegrityError:
        pass
