# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every legal image, however odd, looks through overlayfs exactly as umoci unpacks it into one directory."""

from __future__ import annotations

import pathlib
import struct
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.layers.conftest import Images
from ansible_collections.coracle.engine.tests.integration.layers.judge import (
    differences,
    look,
    now,
    umoci_unpack,
)
from ansible_collections.coracle.engine.tests.tars import (
    archive,
    device,
    directory,
    fifo,
    file,
    gnu_long,
    hard_link,
    opaque,
    pax,
    symbolic_link,
    whiteout,
)

# cap_net_raw+ep, revision 2 (linux/capability.h)
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def attributes(**values: bytes) -> bytes:
    return pax({f"SCHILY.xattr.{name.replace('__', '.')}": value for name, value in values.items()})


def usr_merged(*more: bytes) -> bytes:
    """A distribution's root: `lib` and `bin` are symbolic links."""
    return archive(
        directory(".", mtime=1_500_000_000),
        directory("usr", 0o755, mtime=1_500_000_001),
        directory("usr/lib", 0o751, uid=3, gid=4, mtime=1_500_000_002),
        directory("usr/bin", mtime=1_500_000_003),
        file("usr/lib/libc.so", b"libc"),
        symbolic_link("lib", "usr/lib"),
        symbolic_link("bin", "/usr/bin"),
        *more,
    )


IMAGES: dict[str, list[bytes]] = {
    "every type": [
        archive(
            directory("dev", mtime=1),
            device("dev/null", 1, 3, mode=0o666),
            device("dev/sda", 8, 0, kind=b"4", mode=0o660, gid=6),
            device("dev/high", 4095, 0o3777777, mode=0o600),
            fifo("dev/initctl", mode=0o600, uid=7),
            file("empty"),
            file("data", bytes(range(256)) * 5000, mode=0o640, uid=1000, gid=4_000_000),
            symbolic_link("absolute", "/etc/passwd", uid=5, gid=6),
            symbolic_link("dangling", "../../../nowhere"),
        )
    ],
    "set-id and sticky": [
        archive(
            directory("tmp", 0o1777),
            directory("shared", 0o2775, gid=50),
            file("shared/plain", b"x", gid=0),
            directory("shared/sub", 0o755),
            file("shared/sub/below", b"x"),
            file("su", b"#!", mode=0o4755, uid=0),
            file("chsh", b"#!", mode=0o6711, uid=12, gid=13),
        )
    ],
    "attributes and file capabilities": [
        archive(
            attributes(security__capability=CAPABILITY),
            file("ping", b"ping", mode=0o755),
            attributes(user__comment=b"a\0b\xff"),
            file("commented"),
            attributes(user__on=b"directory"),
            directory("d"),
            attributes(user__late=b"1"),
            directory("d"),
        )
    ],
    "hard links across directories": [
        archive(
            directory("a"),
            directory("b"),
            file("a/one", b"shared", mode=0o600),
            hard_link("b/two", "a/one"),
            hard_link("./b/three", "/b/two"),
            symbolic_link("a/link", "one"),
            hard_link("b/link", "a/link"),
            file("b/two", b"no longer shared"),
        )
    ],
    "plain whiteouts": [
        archive(directory("d"), file("d/gone"), file("d/kept"), directory("e"), file("e/x"), file("f")),
        archive(whiteout("d/gone"), whiteout("e"), whiteout("f"), whiteout("never/there")),
        archive(file("f", b"again")),
    ],
    "whiteout and a new object of the same name": [
        archive(directory("a"), file("a/old"), directory("b"), file("b/old"), file("c"), directory("d")),
        archive(
            whiteout("a"),
            directory("a", 0o700),
            file("a/new"),
            file("b/new"),
            whiteout("b"),
            whiteout("c"),
            directory("c"),
            file("c/inside"),
            file("d", b"was a directory"),
        ),
    ],
    "opaque directories": [
        archive(
            directory("a", 0o700, mtime=5),
            directory("a/b"),
            file("a/b/old"),
            file("a/old"),
            directory("e"),
            file("e/1"),
        ),
        archive(file("a/new"), opaque("a"), directory("e"), opaque("e"), file("e/2")),
        archive(file("a/newer"), file("e/1", b"back")),
    ],
    "opaque before, nested": [
        archive(directory("a"), directory("a/b", 0o700), file("a/b/old"), file("a/b/c/deep")),
        archive(opaque("a"), file("a/b/new")),
    ],
    "opaque after, nested": [
        archive(directory("a"), directory("a/b", 0o700, uid=9), file("a/b/old"), file("a/b/c/deep")),
        archive(file("a/b/new"), opaque("a")),
    ],
    "opaque root": [
        archive(directory(".", 0o711, uid=3), file("old"), directory("etc"), file("etc/old")),
        archive(opaque(""), directory("etc"), file("etc/new")),
        archive(file("etc/newer")),
    ],
    "opaque root after the rest": [
        archive(directory(".", 0o711, uid=3), file("old"), directory("etc", 0o700), file("etc/old")),
        archive(file("etc/new"), opaque("")),
    ],
    "whiteout in a directory of its own layer": [
        archive(file("base")),
        archive(directory("new"), whiteout("new/never"), file("new/file")),
    ],
    "whiteouts in the lowest layer": [archive(directory("d"), whiteout("d/x"), whiteout("y"), opaque("z"))],
    "whiteout after the object": [
        archive(directory("a"), file("a/x", b"lower"), directory("a/y"), file("a/y/lower")),
        archive(file("a/x", b"upper"), whiteout("a/x"), directory("a/y"), file("a/y/upper"), whiteout("a/y")),
    ],
    "implied parents": [
        archive(
            directory("opt", 0o750, uid=1, gid=2, mtime=7),
            attributes(user__kept=b"yes"),
            directory("opt/app", 0o711, mtime=8),
        ),
        archive(file("opt/app/bin/tool", b"t", mode=0o755)),
        archive(directory("opt/app/bin", 0o700, uid=44), file("opt/app/lib/x")),
        archive(file("opt/app/bin/other")),
    ],
    "implied parents of nobody": [archive(file("a/b/c/d", b"x")), archive(file("a/b/e", b"y"))],
    "through a symbolic link below": [usr_merged(), archive(file("lib/x", b"x"), file("bin/y", b"y"))],
    "through a chain of links below": [
        archive(
            directory("a"),
            symbolic_link("b", "a"),
            directory("c"),
            symbolic_link("c/d", "../b"),
            symbolic_link("e", "/c/d"),
        ),
        archive(file("e/f/g", b"deep")),
        archive(whiteout("e/f/g"), file("b/h", b"x")),
    ],
    "whiteout through a symbolic link below": [usr_merged(), archive(whiteout("lib/libc.so"))],
    "a directory over a symbolic link": [usr_merged(), archive(directory("lib"), file("lib/x", b"x"))],
    "used as a directory first, listed later": [usr_merged(), archive(file("lib/x", b"x"), directory("lib"))],
    "links of this and of the layer below": [
        usr_merged(),
        archive(symbolic_link("libs", "lib"), file("libs/x", b"x")),
    ],
    "a link through what does not exist": [
        usr_merged(),
        archive(symbolic_link("s", "lib/../t"), file("s/x", b"x")),
    ],
    "hard link to a layer below": [
        archive(directory("d"), file("d/one", b"shared", mode=0o640, uid=6)),
        archive(hard_link("two", "d/one"), file("three")),
    ],
    "over parents whose metadata comes from further below": [
        archive(
            directory(".", 0o711, uid=2, mtime=3),
            directory("usr", 0o711, uid=9),
            directory("usr/lib", 0o750, gid=7),
            symbolic_link("lib", "usr/lib"),
        ),
        archive(file("usr/data", b"d"), file("usr/lib/y", b"y")),
        archive(file("lib/x", b"x"), hard_link("z", "usr/data")),
        archive(file("usr/lib/more", b"m"), file("usr/local/a", b"a")),
    ],
    "types change between layers": [
        archive(directory("a"), file("a/x"), file("b"), symbolic_link("c", "a"), fifo("d")),
        archive(symbolic_link("a", "b"), directory("b"), file("b/x"), file("c", b"c"), device("d", 1, 5)),
        archive(directory("a"), file("a/y"), symbolic_link("b", "a"), fifo("c"), directory("d")),
    ],
    "types change within a layer": [
        archive(directory("x"), file("x/lower")),
        archive(
            directory("x"),
            file("x/1"),
            file("x", b"file"),
            directory("x"),
            file("x/2"),
            symbolic_link("y", "x"),
            directory("y"),
            fifo("y"),
            file("y", b"1"),
            file("y", b"2"),
        ),
    ],
    "names that are not text": [
        archive(
            directory(b"\xff\xfe"),
            file(b"\xff\xfe/caf\xe9", b"latin"),
            symbolic_link(b"link\xf0", b"\xff\xfe/caf\xe9"),
            file(b"new\nline and \x1b[31m", b"x"),
            file("ünïcödé", b"x"),
            file(" leading and trailing "),
            file("back\\slash"),
            file("..."),
            file("..data"),
        )
    ],
    "paths of every spelling": [
        archive(
            directory("./"),
            directory("./a/"),
            file("./a//b", b"1"),
            file("/c", b"2"),
            file("a/../d", b"3"),
            file("../../e", b"4"),
            hard_link("f", "./../c"),
            file("g/", b"kind 0 stays a file"),
        )
    ],
    "v7, ustar prefix and old directories": [
        archive(
            file("old", b"v7", magic=bytes(8)),
            directory("dir/", magic=bytes(8)),
            file("n" * 90, b"long", prefix=b"p" * 60 + b"/" + b"q" * 60),
            file("contiguous", b"x"),
        )
    ],
    "long names": [
        archive(
            gnu_long("d/" + "n" * 200),
            file("short", b"gnu"),
            gnu_long("t" * 150, b"K"),
            gnu_long("l" * 120),
            symbolic_link("short", "short"),
            pax({"path": "p/" + "é" * 100, "mtime": "1234567890.123456789", "uid": "3000000", "gid": "99"}),
            file("short", b"pax"),
            pax({"linkpath": "../" * 40 + "x", "mtime": "-5.5"}),
            symbolic_link("pax-link", "short"),
            pax({"path": "", "comment": "x"}),
            file("kept-name"),
        )
    ],
    "numbers in base 256": [
        archive(
            file(
                "big-ids",
                uid=b"\x80" + (3_000_000).to_bytes(7, "big"),
                gid=b"\x80" + (70_000).to_bytes(7, "big"),
            ),
            file("before-1970", mtime=b"\xff" * 11 + b"\xf0"),
        )
    ],
    "whiteouts in what is no directory any more": [
        archive(directory("a"), file("a/x"), directory("b"), file("b/x"), directory("c"), file("c/x")),
        archive(
            file("a"),
            whiteout("a/x"),
            whiteout("b/x"),
            file("b"),
            opaque("b"),
            symbolic_link("c", "a"),
            whiteout("c/x"),
        ),
    ],
    "a link over a file and back": [
        archive(file("f"), symbolic_link("s", "f/../d")),
        archive(file("s/x", b"x"), symbolic_link("t", "f/../e"), file("t/y", b"y")),
    ],
    "the same layer twice": [
        archive(directory("a", 0o700), file("a/x", b"1"), file("b/y", b"1")),
        archive(directory("b", 0o711), file("b/y", b"2"), whiteout("a"), file("b/z")),
        archive(directory("a", 0o700), file("a/x", b"1"), file("b/y", b"1")),
        archive(),
        archive(),
    ],
    "the same layer twice, with one in between that needs it": [
        archive(directory("a"), symbolic_link("l", "a"), file("a/x", b"1")),
        archive(file("l/y", b"2"), whiteout("a/x"), hard_link("z", "l/y")),
        archive(directory("a"), symbolic_link("l", "a"), file("a/x", b"1")),
    ],
    "link or directory, known only below": [
        archive(symbolic_link("c", "b"), file("b/d")),
        archive(file("c/b"), hard_link("a", "c")),
    ],
    "hidden after only hiding": [
        archive(directory("a"), file("a/b")),
        archive(opaque("a"), whiteout("a")),
    ],
    "hiding in what is hidden": [
        archive(directory("b"), file("b/c/c")),
        archive(whiteout("b"), whiteout("b/b/c"), symbolic_link("b/c", "b"), opaque("b/d")),
    ],
    "no end of archive": [archive(directory("a"), file("a/b", b"x"), end=b"")],
    "rubbish after the end": [archive(file("a", b"x")) + b"rubbish" * 1000],
    "nothing": [archive(), archive(end=b""), archive(file("x"))],
}


@pytest.mark.parametrize("name", IMAGES)
def test_same_tree_as_umoci(name: str, images: Images, place: pathlib.Path) -> None:
    assert_same_tree(images, IMAGES[name], place)


def assert_same_tree(images: Images, layers: t.Sequence[bytes], place: pathlib.Path) -> None:
    started = now()
    theirs = look(umoci_unpack(layers, place))
    with images.mounted(images.lay_out(*layers)) as root:
        assert differences(look(root), theirs, started) == []
