# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A real distribution as layers: Debian by debootstrap, kept between runs, and a layer of changes made by
umoci.

/var/tmp/coracle-test-cache/debian-<suite>.tar
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil

from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.decompress import decompressor
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.limits import DEFAULT
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.programs import run
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.tests.integration.layers.judge import write_layout

CACHE = pathlib.Path("/var/tmp/coracle-test-cache")
FALLBACK_SUITE = "bookworm"


def debian_layer() -> bytes:
    """The tar of a minimal Debian of this machine's suite."""
    path = CACHE / f"debian-{_suite()}.tar"
    if not path.exists():
        make_private_directory(str(CACHE))
        _bootstrap(path)
    return path.read_bytes()


def _suite() -> str:
    release = pathlib.Path("/etc/os-release").read_text()
    settings = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    debian = settings.get("ID") == "debian"
    return settings.get("VERSION_CODENAME", FALLBACK_SUITE).strip('"') if debian else FALLBACK_SUITE


def _bootstrap(path: pathlib.Path) -> None:
    work = path.with_suffix(f".{os.getpid()}")
    try:
        run(["debootstrap", "--variant=minbase", _suite(), str(work)], timeout=1200)
        unfinished = path.with_suffix(f".{os.getpid()}.tar")
        run(["tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-cf", unfinished, "-C", work, "."])
        unfinished.rename(path)
    finally:
        remove_tree(str(work))


def changed_layer(base: bytes, place: pathlib.Path) -> bytes:
    """What `umoci repack` writes after much of a Debian has been removed, replaced, moved and added."""
    write_layout(place / "layout", [base])
    image, bundle = f"{place}/layout:latest", place / "bundle"
    run(["umoci", "unpack", "--image", image, str(bundle)], timeout=600)
    _change(bundle / "rootfs")
    run(["umoci", "repack", "--image", image, str(bundle)], timeout=600)
    return _top_layer(place / "layout")


def _change(root: pathlib.Path) -> None:
    for gone in ("usr/share/doc", "usr/share/locale", "var/cache/apt"):
        shutil.rmtree(root / gone)
    (root / "var/cache/apt").symlink_to("/tmp")
    (root / "etc/hostname").unlink(missing_ok=True)
    (root / "etc/hostname").mkdir(mode=0o700)
    shutil.rmtree(root / "etc/alternatives")
    (root / "etc/alternatives").write_text("now a file")
    os.rename(root / "usr/share/perl5", root / "usr/share/perl6")
    os.chmod(root / "usr/bin/dpkg", 0o4711)
    os.chown(root / "srv", 1234, 4321)
    shutil.copytree(root / "usr/share/zoneinfo", root / "usr/local/share/zoneinfo", symlinks=True)
    os.link(root / "etc/passwd", root / "etc/passwd.linked")


def _top_layer(layout: pathlib.Path) -> bytes:
    def blob(digest: str) -> pathlib.Path:
        return layout / "blobs" / "sha256" / digest.partition(":")[2]

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
    with blob(manifest["layers"][-1]["digest"]).open("rb") as file:
        return b"".join(decompressor("gzip", file.read, DEFAULT))
