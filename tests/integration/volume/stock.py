# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Images with something to copy, and what tests see of a tree."""

from __future__ import annotations

import os
import pathlib
import stat
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import (
    ImageRecord,
    find_image,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.import_rootfs import (
    import_rootfs,
    read_rootfs,
)
from ansible_collections.coracle.engine.tests import tars

APP, WWW = 1000, 33
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service+ep, revision 2

STOCK = (
    tars.directory("srv"),
    tars.directory("srv/data", 0o2750, uid=APP, gid=WWW),
    tars.file("srv/data/file", b"from the image", mode=0o640, uid=APP, gid=WWW),
    tars.file("srv/data/setuid", b"#!", mode=0o4755),
    tars.directory("srv/data/sub", 0o1777, uid=WWW),
    tars.file("srv/data/sub/deep", b"x" * 5000, uid=WWW),
    tars.hard_link("srv/data/sub/same", "srv/data/sub/deep"),
    tars.symbolic_link("srv/data/absolute", "/etc/passwd", uid=APP),
    tars.symbolic_link("srv/data/dangling", "../../nowhere"),
    tars.fifo("srv/data/fifo", mode=0o600, uid=APP),
    tars.device("srv/data/null", 1, 3, mode=0o666),
    tars.pax({"SCHILY.xattr.user.colour": "blue"}),
    tars.file("srv/data/coloured", b""),
    tars.pax({"SCHILY.xattr.security.capability": CAPABILITY}),
    tars.file("srv/data/capable", b"", mode=0o755),
    tars.directory("srv/data/empty", 0o700, uid=APP),
    tars.directory("srv/empty", 0o700, uid=APP, gid=APP),
    tars.file("srv/plain", b"a file"),
    tars.symbolic_link("srv/link", "data"),
)


def add_image(
    engine: Engine, rootfs: pathlib.Path, work: pathlib.Path, name: str, *members: bytes, **config: t.Any
) -> ImageRecord:
    """An image of busybox with `members` (tars.py) in it."""
    base = rootfs.read_bytes().rstrip(b"\0")
    base += bytes(-len(base) % tars.BLOCK)
    tar = work / f"{name.replace(':', '-')}.tar"
    tar.write_bytes(base + tars.archive(*members))
    image = read_rootfs(
        engine, str(tar), ImageConfig(**{"architecture": "amd64", "cmd": ["/bin/sh"], **config})
    )
    reference = parse_reference(name)
    import_rootfs(engine, image, [reference])
    found = find_image(engine.database, reference)
    assert found is not None
    return found


def seen(path: pathlib.Path) -> dict[str, tuple[t.Any, ...]]:
    """Everything about each name below a directory, and about the directory itself (`.`)."""
    found: dict[str, tuple[t.Any, ...]] = {}
    for one in [path, *path.rglob("*")]:
        status = one.lstat()
        content: t.Any = None
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(one)
        elif stat.S_ISREG(status.st_mode):
            content = one.read_bytes()
        elif stat.S_ISCHR(status.st_mode):
            content = status.st_rdev
        attributes = {name: os.getxattr(one, name, follow_symlinks=False) for name in _attributes(one)}
        found[os.path.relpath(one, path)] = (
            oct(status.st_mode),
            status.st_uid,
            status.st_gid,
            status.st_mtime_ns,
            content,
            attributes,
        )
    return found


def _attributes(path: pathlib.Path) -> list[str]:
    return [name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith("trusted.")]
