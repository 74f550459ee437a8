# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Hostile layers are contained in their root or refused; nothing outside changes, nothing hangs, nothing
grows.

The classes and their numbers (A1 to A20) are those of a catalogue of CVEs and peers' tests: path traversal,
writing through links, hard links out, whiteouts of `..`, overlay attributes, device numbers, header bombs and
the like.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import resource
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import IntegrityError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.extract import extract_layer
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.stream import HashedStream
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.view import opened
from ansible_collections.coracle.engine.tests.integration.layers.conftest import Images
from ansible_collections.coracle.engine.tests.integration.layers.test_umoci import (
    assert_same_tree,
)
from ansible_collections.coracle.engine.tests.tars import (
    archive,
    device,
    directory,
    fifo,
    file,
    gnu_long,
    hard_link,
    header,
    opaque,
    padded,
    pax,
    symbolic_link,
    whiteout,
)

MEMORY = 256 << 20
SECONDS = 60.0
PWN = b"pwned"


class Canary:
    """A directory outside every store; `facts` are what an attack would change."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        (path / "sub").mkdir(parents=True)
        (path / "sub" / "keep").write_bytes(b"keep")
        self.victim = path / "victim"
        self.victim.write_bytes(b"precious")
        self.victim.chmod(0o600)
        os.utime(self.victim, (1, 1))

    def facts(self) -> list[t.Any]:
        found = []
        for parent, directories, files in os.walk(self.path):
            for name in sorted([".", *directories, *files]):
                path = os.path.join(parent, name)
                status = os.lstat(path)
                digest = (
                    hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
                    if os.path.isfile(path)
                    else ""
                )
                times = status.st_mtime_ns, status.st_ctime_ns
                found.append((path, status.st_mode, status.st_uid, status.st_nlink, times, digest))
        return found


@pytest.fixture
def canary(place: pathlib.Path) -> t.Iterator[Canary]:
    canary = Canary(place / "canary")
    before = canary.facts()
    started = time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    yield canary
    assert canary.facts() == before
    assert time.monotonic() - started < SECONDS
    grown = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert grown == memory or grown * 1024 < MEMORY


Layers = list[bytes]


def maze(outside: str) -> bytes:
    """CVE-2025-4517: links that expand beyond PATH_MAX, where a realpath that gives up says "inside"."""
    long, steps = "d" * 247, "abcdefghijklmnop"
    members, path = [], ""
    for step in steps:
        members += [
            pax({"path": f"{path}{long}"}),
            directory("x"),
            pax({"path": path + step, "linkpath": long}),
            symbolic_link("x", "x"),
        ]
        path += f"{long}/"
    end = "/".join(steps) + "/" + "l" * 254
    up = "../" * len(steps)
    members += [
        pax({"path": end, "linkpath": up}),
        symbolic_link("x", "x"),
        pax({"path": "escape", "linkpath": f"{end}/../../../../../../..{outside}"}),
        symbolic_link("x", "x"),
        hard_link("flag", "escape/victim"),
        file("flag", PWN),
        file("escape/pwn", PWN),
    ]
    return archive(*members)


def contained(outside: str) -> dict[str, Layers]:
    """Attacks that end inside the root, and umoci agrees on the result. `outside`: the canary's path."""
    up = "../" * 12 + outside.lstrip("/")
    return {
        "A1 parent": [archive(file(f"{up}/pwn", PWN), file(f"./{up}/victim", PWN))],
        "A1 absolute": [archive(file(f"{outside}/pwn", PWN), directory(f"{outside}/sub", 0o777))],
        "A1 pax path": [archive(pax({"path": f"{up}/pwn"}), file("harmless", PWN))],
        "A1 gnu name": [archive(gnu_long(f"{outside}/pwn"), file("harmless", PWN))],
        "A2 absolute link": [archive(symbolic_link("x", outside), file("x/pwn", PWN), file("x/victim", PWN))],
        "A2 relative link": [archive(directory("d"), symbolic_link("d/x", up), file("d/x/pwn", PWN))],
        "A2 chain": [
            archive(symbolic_link("a", ".."), symbolic_link("b", "a/.."), file(f"b/{outside}/pwn", PWN))
        ],
        "A2 link of an earlier layer": [
            archive(symbolic_link("x", outside)),
            archive(file("x/pwn", PWN), file("x/sub/keep", PWN)),
        ],
        "A2 link, then directory": [
            archive(symbolic_link("x", outside), directory("x", 0o777), file("x/pwn", PWN))
        ],
        "A2 proc": [archive(symbolic_link("x", "/proc/self/root"), file(f"x{outside}/pwn", PWN))],
        "A2 descriptors": [archive(symbolic_link("x", "/proc/self/fd/3"), file("x/pwn", PWN))],
        "A4 overwrite after a link": [archive(file("a", b"1"), hard_link("b", "a"), file("b", PWN))],
        "A5 file over a link": [archive(symbolic_link("x", f"{outside}/victim"), file("x", PWN))],
        "A5 file over a FIFO": [
            archive(fifo("x"), file("x", PWN)),
            archive(fifo("y")),
            archive(file("y", PWN)),
        ],
        "A5 file over a device": [archive(device("x", 1, 5), file("x", PWN))],
        "A5 file over a FIFO of a lower layer": [archive(fifo("x")), archive(file("x", PWN))],
        "A6 mode through a link": [archive(symbolic_link("x", outside), directory("x", 0o777, uid=1))],
        "A6 attributes through a link": [
            archive(symbolic_link("x", f"{outside}/victim"), hard_link("y", "x"))
        ],
        "A7 through a link": [
            archive(symbolic_link("x", outside)),
            archive(whiteout("x/victim"), whiteout("x/sub")),
        ],
        "A7 opaque through a link": [archive(symbolic_link("x", outside)), archive(opaque("x"))],
        "A7 of a link": [archive(symbolic_link("x", outside)), archive(whiteout("x"))],
        "A12 duplicates": [archive(file("x", b"1"), directory("x"), file("x/y"), fifo("x"), file("x", b"2"))],
        "A12 a directory replaced below us": [
            archive(
                directory("a"),
                directory("a/b"),
                file("a/b/c"),
                symbolic_link("a", outside),
                file("a/b/d", PWN),
            )
        ],
        "A13 names": [archive(file(b"\x1b]0;title\x07\n\r\xff", b"x"), file("n" * 255))],
        "A20 root": [archive(directory(".", 0o777, uid=12, gid=13), file("x"))],
    }


CONTAINED = list(contained("/outside"))


def unpack_here(layers: Layers, place: pathlib.Path) -> None:
    """In this process, so that nothing but `tree.py` stands between the layer and the canary."""
    for number, layer in enumerate(layers):
        root = place / f"root{number}"
        root.mkdir()
        with opened(str(root)) as fd:
            extract_layer(HashedStream(iter([layer])), fd)


@pytest.mark.parametrize("name", CONTAINED)
def test_contained(name: str, images: Images, place: pathlib.Path, canary: Canary) -> None:
    assert_same_tree(images, contained(str(canary.path))[name], place)


@pytest.mark.parametrize("name", CONTAINED)
def test_contained_without_the_second_wall(name: str, place: pathlib.Path, canary: Canary) -> None:
    unpack_here(contained(str(canary.path))[name], place)


def refused(outside: str) -> dict[str, Layers]:
    up = "../" * 12 + outside.lstrip("/")
    here = os.getcwd()
    return {
        "A2 root is a link": [archive(symbolic_link(".", outside), file("pwn", PWN))],
        "A2 root is a link, slash": [archive(symbolic_link("/.", outside), file("pwn", PWN))],
        "A2 root is a file": [archive(file("./", PWN))],
        "A2 loop": [archive(symbolic_link("a", "b"), symbolic_link("b", "a"), file("a/x"))],
        "A3 maze": [maze(outside)],
        "A4 absolute": [archive(hard_link("x", f"{outside}/victim"), file("x", PWN))],
        "A4 parent": [archive(hard_link("x", f"{up}/victim"), file("x", PWN))],
        "A4 working directory": [
            archive(hard_link("x", "pyproject.toml"), hard_link("y", f"{here}/pyproject.toml"))
        ],
        "A4 through a link": [archive(symbolic_link("d", outside), hard_link("x", "d/victim"))],
        "A4 to the root": [archive(hard_link("x", "/"))],
        "A4 link as root": [archive(file("a"), hard_link(".", "a"))],
        "A7 dot": [archive(file("a/.wh..", b""))],
        "A7 dot dot": [archive(file(".wh...", b""))],
        "A7 nothing": [archive(file("a/.wh.", b""))],
        "A7 a directory with a reserved name": [archive(file(".wh.x/y"))],
        "A9 smuggled whiteout": [archive(device("x", 0, 0))],
        "A10 major": [archive(device("x", 4096, 1))],
        "A10 minor": [archive(device("x", 1, b"\x80" + (1 << 20).to_bytes(7, "big")))],
        "A10 negative": [archive(device("x", b"\xff" * 8, 1))],
        "A12 file as a directory": [archive(file("x"), file("x/y"))],
        "A12 FIFO as a directory": [archive(fifo("x"), file("x/y"))],
        "A12 link to itself": [archive(file("x"), hard_link("x", "x"))],
        "A12 link to a directory": [archive(directory("x"), hard_link("y", "x"))],
        "A12 link to nothing": [archive(hard_link("x", "nothing"))],
        "A12 link to what is removed": [archive(file("x")), archive(whiteout("x"), hard_link("y", "x"))],
        "A12 link that removes its file": [archive(directory("d"), file("d/x"), hard_link("d", "d/x"))],
        "A13 a long component": [archive(gnu_long("n" * 300), file("x"))],
        "A13 a long path": [archive(gnu_long("/".join(["n" * 200] * 30)), file("x"))],
        "A13 an empty target": [archive(symbolic_link("x", ""))],
        "A13 zero byte": [archive(pax({"path": b"a\0b"}), file("x"))],
        "A14 pax claims 8 GiB": [archive(header("x", b"x", size=8 << 30))],
        "A14 global pax claims 8 GiB": [archive(header("x", b"g", size=8 << 30))],
        "A14 long name claims 8 GiB": [archive(header("x", b"L", size=8 << 30))],
        "A14 pax record of length 0": [archive(header("x", b"x", size=5) + padded(b"0 a=\n"), file("x"))],
        "A14 pax record beyond the header": [
            archive(header("x", b"x", size=8) + padded(b"99 a=bc\n"), file("x"))
        ],
        "A14 negative size": [archive(header("x", size=b"\xff" * 11 + b"\xfe"))],
        "A14 negative pax size": [archive(pax({"size": "-1"}), file("x", b"x"))],
        "A14 size of 60 digits": [archive(pax({"size": "9" * 60}), file("x", b"x"))],
        "A14 size of 8 EiB": [archive(header("x", size=b"\x80\0\0\0\x7f" + b"\xff" * 7))],
        "A14 uid -1": [archive(file("x", uid=b"\xff" * 8))],
        "A14 uid 2^32-1": [archive(pax({"uid": "4294967295"}), file("x"))],
        "A14 wrong checksum": [archive(file("x")[:-1] + b"", bytes(512).replace(b"\0", b"x", 1))],
        "A14 unknown type": [archive(header("x", b"Q"))],
        "A14 sparse map of a billion": [
            archive(
                pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"}), billion()
            )
        ],
        "A14 sparse parts overlap": [sparse("0,10,5,10", 20, 20)],
        "A14 sparse part beyond the end": [sparse("15,10", 20, 10)],
        "A14 sparse map for other content": [sparse("0,10", 20, 12)],
        "A14 sparse map of odd length": [sparse("0,10,12", 20, 10)],
        "A14 extended header of nothing": [archive(pax({"path": "x"}))],
        "A19 sparse file of 1 EiB": [sparse("0,1", 1 << 60, 1)],
        "truncated content": [archive(file("x", b"y" * 2000), end=b"")[:-512]],
        "truncated header": [archive(file("x"), end=b"")[:-100]],
        "zeros between headers": [archive(file("x"), bytes(512), file("y"))],
    }


def billion() -> bytes:
    return file("x", b"1000000000\n" + b"0\n" * 1_500_000)


def sparse(parts: str, size: int, stored: int) -> bytes:
    records = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": parts}
    return archive(pax({**records, "GNU.sparse.size": str(size)}), file("x", b"z" * stored))


REFUSED = list(refused("/outside"))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_without_the_second_wall(name: str, place: pathlib.Path, canary: Canary) -> None:
    """Here a missing file of a hard link may still be in a layer below."""
    with contextlib.suppress(IntegrityError):
        unpack_here(refused(str(canary.path))[name], place)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, images: Images, canary: Canary) -> None:
    with pytest.raises(IntegrityError):
        images.lay_out(*refused(str(canary.path))[name])
    assert os.listdir(images.paths.staging) == []
    good = images.lay_out(archive(file("good")))
    assert all(images.store.verify(name) for name in good.directories)
