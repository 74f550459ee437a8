# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The outside judge: what `umoci` unpacks, and what can be seen of a tree."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pathlib
import stat
import time
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.programs import run


def write_layout(layout: pathlib.Path, layers: t.Sequence[bytes]) -> None:
    """An OCI image layout, tag `latest`, with these uncompressed tars as its (gzip) layers."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> dict[str, t.Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    media = "application/vnd.oci.image."
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": media + "config.v1+json", **put(json.dumps(config).encode())},
        "layers": [
            {"mediaType": media + "layer.v1.tar+gzip", **put(gzip.compress(layer, 1))} for layer in layers
        ],
    }
    entry = {"mediaType": media + "manifest.v1+json", **put(json.dumps(manifest).encode())}
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def umoci_unpack(layers: t.Sequence[bytes], place: pathlib.Path) -> pathlib.Path:
    """The root file system that umoci makes of these layers."""
    write_layout(place / "layout", layers)
    run(["umoci", "raw", "unpack", "--image", f"{place}/layout:latest", f"{place}/rootfs"], timeout=600)
    return place / "rootfs"


class Seen(t.NamedTuple):
    kind: str
    mode: int
    owner: tuple[int, int]
    mtime: int
    content: str
    links: tuple[bytes, ...]
    attributes: dict[str, bytes]


Tree = dict[bytes, Seen]


def look(root: str | pathlib.Path) -> Tree:
    """Every name below `root`, and b"" for itself; hard links as the names that share an inode."""
    top = os.fsencode(root)
    found = {b"": os.lstat(top)}
    for parent, directories, files in os.walk(top, onerror=_raise):
        for name in directories + files:
            path = os.path.join(parent, name)
            found[os.path.relpath(path, top)] = os.lstat(path)
    groups: dict[int, list[bytes]] = {}
    for path, status in found.items():
        if not stat.S_ISDIR(status.st_mode):
            groups.setdefault(status.st_ino, []).append(path)
    return {
        path: _seen(os.path.join(top, path) if path else top, status, groups)
        for path, status in found.items()
    }


def _raise(error: OSError) -> None:
    raise error


def _seen(path: bytes, status: os.stat_result, groups: dict[int, list[bytes]]) -> Seen:
    return Seen(
        kind=str(stat.filemode(status.st_mode)[0]),
        mode=stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        mtime=status.st_mtime_ns,
        content=_content(path, status),
        links=tuple(sorted(groups.get(status.st_ino, []))),
        attributes=_attributes(path),
    )


def _content(path: bytes, status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode):
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return f"{status.st_size} {digest.hexdigest()}"
    if stat.S_ISLNK(status.st_mode):
        return os.fsdecode(os.readlink(path))
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return ""


def _attributes(path: bytes) -> dict[str, bytes]:
    names = [
        name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith("trusted.overlay.")
    ]
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def differences(ours: Tree, theirs: Tree, started: float) -> list[str]:
    """What differs, one line each.

    umoci leaves the time of unpacking on directories that it made, or made others in, without being told to.
    Ours have a time from the image then, or 1970: never the present.
    """
    lines = [f"only ours: {path!r}" for path in sorted(ours.keys() - theirs.keys())]
    lines += [f"only umoci's: {path!r}" for path in sorted(theirs.keys() - ours.keys())]
    for path in sorted(ours.keys() & theirs.keys()):
        mine, other = ours[path], theirs[path]
        present = int(started * 10**9)
        if other.kind == "d" and other.mtime >= present > mine.mtime:
            mine = mine._replace(mtime=other.mtime)
        lines += [
            f"{path!r}: {field}: ours {value!r}, umoci's {getattr(other, field)!r}"
            for field, value in mine._asdict().items()
            if value != getattr(other, field)
        ]
    return lines


def now() -> float:
    return time.time() - 1  # file systems' clocks are coarse
