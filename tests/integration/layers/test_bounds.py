# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Bombs and floods: what a layer may ask for is bounded, and removing what it left never recurses."""

from __future__ import annotations

import gzip
import hashlib
import os
import pathlib
import stat
import subprocess
import typing as t
import zlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
    StorageError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.limits import DEFAULT, Limits
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.worker import ExtractionPool
from ansible_collections.coracle.engine.tests.integration.layers.conftest import Images, fill
from ansible_collections.coracle.engine.tests.tars import archive, directory, file, header, pax, symbolic_link

LAYER = archive(directory("d"), file("d/x", os.urandom(100_000)), file("d/y", bytes(3_000_000)))


def put(images: Images, layer: bytes, data: bytes, compression: str, limits: Limits = DEFAULT) -> None:
    """Unpack `data`, which should be `layer` compressed, and verify what became of it."""
    diff_id = "sha256:" + hashlib.sha256(layer).hexdigest()
    with ExtractionPool() as pool, images.store.stage(diff_id) as staged:
        fill(pool, staged, data, compression, limits)
        images.store.publish([staged])
    assert images.store.verify(images.store.name_of(diff_id))


def zstd(data: bytes, *options: str) -> bytes:
    return subprocess.run(["zstd", "-qc", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def test_every_compression(images: Images) -> None:
    middle = len(LAYER) // 2
    members = gzip.compress(LAYER[:middle]) + gzip.compress(b"") + gzip.compress(LAYER[middle:])
    for data, compression in (
        (LAYER, "none"),
        (gzip.compress(LAYER), "gzip"),
        (members, "gzip"),
        (members + bytes(5000), "gzip"),
        (zstd(LAYER), "zstd"),
        (zstd(LAYER[:middle]) + zstd(LAYER[middle:]), "zstd"),
        (zstd(LAYER, "--long=27"), "zstd"),
    ):
        put(images, LAYER, data, compression)
        images.store.remove(images.store.name_of("sha256:" + hashlib.sha256(LAYER).hexdigest()))


@pytest.mark.parametrize(
    ("data", "compression"),
    [
        (b"", "gzip"),
        (b"not gzip at all", "gzip"),
        (gzip.compress(LAYER)[:-9], "gzip"),
        (gzip.compress(LAYER)[:-8] + bytes(8), "gzip"),
        (gzip.compress(LAYER) + b"garbage", "gzip"),
        (gzip.compress(LAYER) + bytes(10) + b"garbage", "gzip"),
        (gzip.compress(LAYER) + gzip.compress(b"") * 60_000, "gzip"),
        (b"not zstd at all", "zstd"),
        (zstd(LAYER)[:-5], "zstd"),
        (zstd(LAYER) + b"garbage", "zstd"),
        (zstd(LAYER, "--long=31", "--zstd=wlog=31"), "zstd"),
        (LAYER[:-512], "none"),
        (LAYER, "xz"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_streams_are_refused(data: bytes, compression: str, images: Images) -> None:
    with pytest.raises(IntegrityError):
        put(images, LAYER, data, compression)
    assert os.listdir(images.paths.staging) == os.listdir(images.paths.layers) == []


def zeros(amount: int) -> t.Iterator[bytes]:
    """A tar with one file of zeros, in pieces."""
    yield header("zeros", size=amount)
    for _megabyte in range(amount >> 20):
        yield bytes(1 << 20)
    yield bytes(1024)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_bomb_is_stopped_at_its_ratio(compression: str, images: Images) -> None:
    size = 128 << 20
    if compression == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        data = b"".join(map(packer.compress, zeros(size))) + packer.flush()
    else:
        data = zstd(b"".join(zeros(size)))
    limits = Limits(ratio_free=32 << 20)
    with pytest.raises(IntegrityError, match="bomb"):
        put(images, LAYER, data, compression, limits)


def test_limits(images: Images) -> None:
    many = archive(*(file(f"d/{number}") for number in range(50)))
    large = archive(file("x", bytes(200_000)), file("y", bytes(200_000)))
    sparse = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,1"}
    huge = archive(pax({**sparse, "GNU.sparse.size": str(2 << 40)}), file("x", b"x"))
    for layer, limits, text in (
        (many, Limits(entries=50), "more than 50 entries"),
        (large, Limits(bytes=300_000), "more than 300000 bytes"),
        (large, Limits(file_bytes=100_000), "File too large"),
        (huge, DEFAULT, "bytes"),
    ):
        with pytest.raises(IntegrityError, match=text):
            images.lay_out(layer, limits=limits)
    with pytest.raises(StorageError, match="free some space"):
        images.lay_out(archive(file("x", os.urandom(40 << 20))), limits=Limits(free_bytes=1 << 60))


def test_the_deepest_tree_is_removed(images: Images) -> None:
    """As deep as a path can name: by us within a layer (a file takes its place), and with the layer."""
    deep = archive(pax({"path": "d/" * 2000 + "x"}), file("x", b"deep"))
    images.lay_out(deep)
    replaced = images.lay_out(archive(pax({"path": "d/" * 2000 + "x"}), file("x"), file("d", b"shallow")))
    with images.mounted(replaced) as root:
        assert pathlib.Path(root, "d").read_bytes() == b"shallow"
    for name in images.store.names():
        images.store.remove(name)
    assert os.listdir(images.paths.layers) == os.listdir(images.paths.trash) == []


def test_mazes_of_links_come_to_an_end(images: Images) -> None:
    turns = "d/../" * 800
    links = [symbolic_link(f"l{number}", "x") for number in range(250)]
    spelled = [
        pax({"linkpath": f"{turns}l{number + 1}" if number < 249 else turns}) + link
        for number, link in enumerate(links)
    ]
    with pytest.raises(IntegrityError, match="maze"):
        images.lay_out(archive(directory("d"), *spelled, file("l0/x")))
    down = [pax({"linkpath": "d/" * 2000}), symbolic_link("a", "x"), directory("d")]
    deeper = [pax({"linkpath": "a/" + "d/" * 2000}), symbolic_link("b", "x")]
    with pytest.raises(IntegrityError, match="too long"):
        images.lay_out(archive(*down, *deeper, file("b/x")))


def test_no_program_or_library_of_the_image_is_used(
    images: Images, place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2026-41567, CVE-2019-14271: evil tools in the image, in the working directory and first in PATH."""
    evil = b'#!/bin/sh\ntouch "' + os.fsencode(place) + b'/pwned"\nexit 1\n'
    names = ("zstd", "gzip", "unpigz", "tar", "xz", "libgcc_s.so.1", "libnss_files.so.2", "encodings.py")
    for name in names:
        (place / name).write_bytes(evil)
        (place / name).chmod(0o755)
    places = (
        "usr/bin",
        "bin",
        "usr/local/bin",
        "lib/x86_64-linux-gnu",
        "usr/lib/python3.11",
        "usr/lib/python3",
    )
    layer = archive(*(file(f"{parent}/{name}", evil, mode=0o755) for parent in places for name in names))
    data = zstd(layer)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    put(images, layer, data, "zstd")
    put(images, archive(file("x")), gzip.compress(archive(file("x"))), "gzip")
    assert not (place / "pwned").exists()


def test_set_id_programs_are_out_of_reach_on_the_host(images: Images) -> None:
    assembly = images.lay_out(archive(file("su", b"#!/bin/sh\n", mode=0o4755)))
    program = os.path.join(images.store.path(assembly.directories[0]), "su")
    assert stat.S_IMODE(os.stat(program).st_mode) == 0o4755
    for path in (images.paths.root, images.paths.layers, os.path.dirname(os.path.dirname(program))):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    with pytest.raises(PermissionError):
        subprocess.run([program], user=65534, check=False)


def test_modes_do_not_depend_on_the_umask(images: Images) -> None:
    for umask in (0o000, 0o077):
        previous = os.umask(umask)
        try:
            layer = archive(file(f"d/{umask}", mode=0o666), directory("e", 0o777))
            assembly = images.lay_out(layer)
            root = images.store.path(assembly.directories[0])
            modes = {name: os.stat(os.path.join(root, name)).st_mode & 0o7777 for name in (".", "d", "e")}
            assert modes == {".": 0o755, "d": 0o755, "e": 0o777}
            assert os.stat(os.path.join(root, f"d/{umask}")).st_mode & 0o7777 == 0o666
            record = os.path.join(os.path.dirname(root), "layer.json")
            assert os.stat(record).st_mode & 0o7777 == 0o600
        finally:
            os.umask(previous)


def test_a_wrong_diff_id_is_refused(images: Images) -> None:
    with ExtractionPool() as pool, images.store.stage("sha256:" + "0" * 64) as staged:
        with pytest.raises(IntegrityError, match="diff id"):
            fill(pool, staged, LAYER, "none")
        with pytest.raises(CoracleError, match="never filled"):
            images.store.publish([staged])
    assert os.listdir(images.paths.layers) == os.listdir(images.paths.staging) == []


def test_overlay_attributes_of_the_image_are_dropped(images: Images) -> None:
    names = {
        "trusted.overlay.opaque": b"y",
        "trusted.overlay.redirect": b"/etc",
        "trusted.overlay.metacopy": b"",
        "user.overlay.opaque": b"y",
        "security.selinux": b"system_u:object_r:etc_t:s0\0",
        "security.capability": b"\x01\0\0\x03" + b"\xff" * 16 + (1000).to_bytes(4, "little"),
        "security.ima": b"\x01",
        "system.posix_acl_access": b"\x02\0\0\0",
        "trusted.other": b"x",
    }
    spelled = {f"SCHILY.xattr.{name}": value for name, value in names.items()}
    assembly = images.lay_out(archive(pax(spelled), file("f"), pax(spelled), directory("d")))
    root = images.store.path(assembly.directories[0])
    assert os.listxattr(os.path.join(root, "f")) == os.listxattr(os.path.join(root, "d")) == []
