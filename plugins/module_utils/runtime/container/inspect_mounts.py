# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Storage in the shape of `docker inspect`: `Mounts`, what there is, and in `HostConfig` what was asked for.

Source of the shape: Docker Engine API 1.47, MountPoint and Mount.
"""

from __future__ import annotations

import os
import typing as t

from ..oci.reference import familiar_name
from ..paths import Paths
from .config import ContainerConfig
from .effective import Effective
from .mount_values import READ_ONLY_ON_TOP
from .storage import VolumeMount, tmpfs_of

Item = dict[str, t.Any]


def inspect_mounts(paths: Paths, whole: Effective, config: ContainerConfig) -> list[Item]:
    """Sorted by target. A `tmpfs` is among them if it was asked for in `mounts`, as in Docker."""
    tmpfs = [
        {
            "Type": "tmpfs",
            "Source": "",
            "Destination": target,
            "Mode": options,
            "RW": "ro" not in options.split(","),
        }
        for target, options in tmpfs_of(config).items()
        if target not in (config.tmpfs or ())
    ]
    found = [
        *(_mount(paths, volume) for volume in whole.volumes),
        *({**one, "Propagation": ""} for one in tmpfs),
    ]
    return sorted(found, key=lambda mount: str(mount["Destination"]))


def _mount(paths: Paths, volume: VolumeMount) -> Item:
    named = {"Name": volume.source, "Driver": "local"} if volume.type == "volume" else {}
    source = os.path.join(paths.volumes, volume.source, "_data") if named else volume.source
    propagation = [word for word in volume.options if word.endswith(("shared", "slave", "private"))]
    return {
        "Type": volume.type,
        **named,
        "Source": familiar_name(source) if volume.type == "image" else source,
        "Destination": volume.target,
        "Mode": _mode(volume.read_only, volume.options),
        "RW": not volume.read_only,
        "Propagation": propagation[0] if propagation else ("rprivate" if volume.type == "bind" else ""),
    }


def bind_texts(volumes: t.Iterable[Item]) -> list[str]:
    """`HostConfig.Binds`: those of `volumes` that have a source."""
    return [
        ":".join(filter(None, (item["source"], item["target"], _mode(item["read_only"], item["options"]))))
        for item in volumes
        if item["source"]
    ]


def _mode(read_only: bool, options: t.Iterable[str]) -> str:
    return ",".join([*(["ro"] if read_only else []), *options])


def asked_mount(item: Item) -> Item:
    """An entry of `HostConfig.Mounts`. Options that were not given are left out."""
    kind = item["type"]
    common = {
        "Type": kind,
        "Source": familiar_name(item["source"]) if kind == "image" else item["source"],
        "Target": item["target"],
        "ReadOnly": item["read_only"],
    }
    options = _OPTIONS[kind](item)
    return {**common, **({f"{kind.capitalize()}Options": options} if options else {})}


def _bind_options(item: Item) -> Item:
    propagation = [word for word in item["options"] if word not in ("bind", READ_ONLY_ON_TOP)]
    return {
        **({"Propagation": propagation[0]} if propagation else {}),
        **({"NonRecursive": True} if "bind" in item["options"] else {}),
        **({"ReadOnlyNonRecursive": True} if READ_ONLY_ON_TOP in item["options"] else {}),
        **({"CreateMountpoint": True} if item.get("create", True) else {}),
    }


def _volume_options(item: Item) -> Item:
    driver = {"DriverConfig": _driver(item["driver_options"])} if "driver_options" in item else {}
    return {
        **({"NoCopy": True} if "nocopy" in item["options"] else {}),
        **({"Labels": item["labels"]} if "labels" in item else {}),
        **driver,
        **_subpath(item),
    }


def _driver(options: dict[str, str]) -> Item:
    from ..linux.mount_options import without_passwords

    return {"Name": "local", "Options": {key: without_passwords(value) for key, value in options.items()}}


def _tmpfs_options(item: Item) -> Item:
    settings = dict(word.partition("=")[::2] for word in item["options"])
    return {
        **({"SizeBytes": int(settings["size"])} if settings.get("size", "").isdigit() else {}),
        **({"Mode": int(settings["mode"], 8)} if "mode" in settings else {}),
    }


def _subpath(item: Item) -> Item:
    return {"Subpath": item["subpath"]} if "subpath" in item else {}


_OPTIONS: dict[str, t.Callable[[Item], Item]] = {
    "bind": _bind_options,
    "volume": _volume_options,
    "tmpfs": _tmpfs_options,
    "image": _subpath,
}


def source_text(item: Item) -> str:
    """`name[:ro]`, of `volumes_from`."""
    return f"{item['container']}:ro" if item["read_only"] else str(item["container"])
