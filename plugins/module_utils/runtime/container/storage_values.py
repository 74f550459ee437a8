# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`mounts` and `volumes_from`: storage as dictionaries, and storage of other containers.

The normal form of a mount is that of `volumes` (mount_values.py): what can be written both ways compares
equal. Keys that a text cannot express are only there if they say something: `subpath`, `labels`,
`driver_options`, and `create`: false, the source of a bind mount has to be there. A `tmpfs` has the options
that it has in `tmpfs`; the source of an `image` is its canonical name or its id.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ..errors import InvalidInput
from ..oci.reference import is_image_id, parse_reference
from .environment_values import parse_labels
from .mount_values import (
    PROPAGATIONS,
    READ_ONLY_ON_TOP,
    is_too_long,
    mount_target,
    tmpfs_options,
    volume_source,
)
from .values import parse_boolean, parse_size, parse_text, refuse

Item = dict[str, t.Any]

_FOR_ALL = ("type", "target", "source", "read_only", "consistency")
_ONLY_FOR = {
    "bind": (
        *("propagation", "create_mountpoint", "non_recursive"),
        *("read_only_non_recursive", "read_only_force_recursive"),
    ),
    "volume": ("no_copy", "labels", "volume_driver", "volume_options", "subpath"),
    "tmpfs": ("tmpfs_size", "tmpfs_mode", "tmpfs_options"),
    "image": ("subpath",),
}
"""Keys by type, besides those that all types have."""

_NORMAL = frozenset(("type", "source", "target", "read_only", "options"))
_CONTAINER_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}"


def parse_mounts(value: t.Any, option: str) -> list[Item]:
    """Normal forms sorted by target; one target can be named once."""
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list")
    mounts: dict[str, Item] = {}
    for number, given in enumerate(value):
        mount = _parse_mount(given, f"{option}[{number}]")
        if mount["target"] in mounts:
            raise InvalidInput(
                f"{option}: {mount['target']} is there twice", "keep one of them", option=option
            )
        mounts[mount["target"]] = mount
    return [mounts[target] for target in sorted(mounts)]


def _parse_mount(given: t.Any, option: str) -> Item:
    if not isinstance(given, dict):
        raise refuse(given, option, "is not a dictionary", "write type, source, target")
    if _NORMAL.issubset(given):
        return dict(given)
    keys = {key: content for key, content in given.items() if content is not None}
    kind = str(keys.get("type", "volume"))
    if kind not in _ONLY_FOR:
        raise refuse(kind, f"{option}: type", "is not a type of mount", "bind, volume, tmpfs, or image")
    wrong = sorted(set(keys).difference(_FOR_ALL, _ONLY_FOR[kind]))
    if wrong:
        types = [name for name, names in _ONLY_FOR.items() if wrong[0] in names]
        hint = f"it is for type {' and '.join(types)}" if types else ""
        raise InvalidInput(f"{option}: {wrong[0]} has no meaning for type {kind}", hint, option=option)
    if "target" not in keys:
        raise InvalidInput(f"{option}: target is missing", "say where to mount it", option=option)
    target = mount_target(keys["target"], str(keys["target"]), f"{option}: target")
    read_only = parse_boolean(keys.get("read_only", False), f"{option}: read_only")
    mount = {"type": kind, "source": "", "target": target, "read_only": bool(read_only), "options": []}
    return {**mount, **_PARSERS[kind](keys, option)}


def _bind(keys: Item, option: str) -> Item:
    source = _needed_source(keys, option)
    kind, source = volume_source(source, source, f"{option}: source")
    if kind != "bind":
        raise refuse(source, f"{option}: source", "is not an absolute path", "use type: volume for a volume")
    propagation = keys.get("propagation", "rprivate")
    if propagation not in PROPAGATIONS:
        raise refuse(propagation, f"{option}: propagation", "is unknown", ", ".join(PROPAGATIONS))
    words = [propagation] if propagation != "rprivate" else []
    words += ["bind"] if parse_boolean(keys.get("non_recursive", False), f"{option}: non_recursive") else []
    words += _read_only_below(keys, option)
    create = parse_boolean(keys.get("create_mountpoint", False), f"{option}: create_mountpoint")
    return {"source": source, "options": sorted(words), **({} if create else {"create": False})}


def _read_only_below(keys: Item, option: str) -> list[str]:
    """Read-only holds below, too, unless it is not wanted; to want it says nothing new."""
    asked = [
        name
        for name in ("non_recursive", "read_only_non_recursive", "read_only_force_recursive")
        if parse_boolean(keys.get(name, False), f"{option}: {name}")
    ]
    if len(asked) > 1:
        raise InvalidInput(f"{option}: {asked[0]} and {asked[1]} contradict each other", "keep one of them")
    is_read_only = parse_boolean(keys.get("read_only", False), f"{option}: read_only")
    if asked and asked != ["non_recursive"] and not is_read_only:
        raise InvalidInput(f"{option}: {asked[0]} has no meaning for what can be written", "give read_only")
    return [READ_ONLY_ON_TOP] if "read_only_non_recursive" in asked else []


def _volume(keys: Item, option: str) -> Item:
    parse_text(keys.get("source", ""), f"{option}: source")
    source = str(keys.get("source", ""))
    if source and volume_source(source, source, f"{option}: source")[0] != "volume":
        raise refuse(source, f"{option}: source", "is a path, not a volume", "use type: bind")
    if keys.get("volume_driver", "local") != "local":
        raise refuse(keys["volume_driver"], f"{option}: volume_driver", "is unknown", "there is only local")
    copies = not parse_boolean(keys.get("no_copy", False), f"{option}: no_copy")
    extras = {
        "labels": parse_labels(keys.get("labels", {}), f"{option}: labels"),
        "driver_options": keys.get("volume_options", {}),
        **_subpath(keys, option),
    }
    kept = {name: content for name, content in extras.items() if content}
    return {"source": source, "options": [] if copies else ["nocopy"], **kept}


def _tmpfs(keys: Item, option: str) -> Item:
    """The same texts as in the option `tmpfs`."""
    if "source" in keys:
        raise InvalidInput(f"{option}: source has no meaning for type tmpfs", option=option)
    words = (
        [f"size={parse_size(keys['tmpfs_size'], f'{option}: tmpfs_size')}"] if "tmpfs_size" in keys else []
    )
    words += [f"mode={_mode(keys['tmpfs_mode'], f'{option}: tmpfs_mode')}"] if "tmpfs_mode" in keys else []
    words += _words(keys.get("tmpfs_options", []), f"{option}: tmpfs_options")
    words += ["ro"] if parse_boolean(keys.get("read_only", False), f"{option}: read_only") else []
    text = tmpfs_options(",".join(words), ",".join(words), option)
    return {"read_only": False, "options": text.split(",") if text else []}


def _mode(value: t.Any, option: str) -> str:
    text = parse_text(value, option)
    if not re.fullmatch(r"0?[0-7]{3,4}", text, re.ASCII):
        raise refuse(value, option, "is not a mode", 'write it in octal and in quotes, for example "1770"')
    return text


def _words(value: t.Any, option: str) -> list[str]:
    """`["noexec", {"size": "1m"}]`: a switch as text or with an empty value, a setting as text or as pair."""
    words = []
    for given in value if isinstance(value, (list, tuple)) else [value]:
        pairs = given.items() if isinstance(given, dict) else [(given, None)]
        for key, content in pairs:
            word = parse_text(key, option)
            words.append(word if content in (None, "") else f"{word}={parse_text(content, option)}")
    return words


def _image(keys: Item, option: str) -> Item:
    source = _needed_source(keys, option)
    if not parse_boolean(keys.get("read_only", True), f"{option}: read_only"):
        raise InvalidInput(f"{option}: an image can only be mounted read-only", "copy what has to change")
    name = f"sha256:{source.rpartition(':')[2]}" if is_image_id(source) else parse_reference(source).canonical
    return {"source": name, "read_only": True, **_subpath(keys, option)}


def _needed_source(keys: Item, option: str) -> str:
    source = parse_text(keys.get("source", ""), f"{option}: source")
    if not source:
        raise InvalidInput(f"{option}: type {keys.get('type')} needs source", option=option)
    return source


def _subpath(keys: Item, option: str) -> Item:
    """A path inside the volume or image, without `..`; the place it leads to is looked for at each start."""
    text = parse_text(keys.get("subpath", ""), f"{option}: subpath")
    if text.startswith("/") or ".." in text.split("/") or is_too_long(text):
        raise refuse(
            text, f"{option}: subpath", 'is not a relative path without ".."', "write for example www/html"
        )
    path = posixpath.normpath(text) if text else "."
    return {} if path == "." else {"subpath": path}


_PARSERS: dict[str, t.Callable[[Item, str], Item]] = {
    "bind": _bind,
    "volume": _volume,
    "tmpfs": _tmpfs,
    "image": _image,
}


def parse_volumes_from(value: t.Any, option: str) -> list[Item]:
    """`[{"container", "read_only"}]` from `name[:ro|rw]`, in the order given: of two that mount at the same
    place the later wins.
    """
    sources: dict[str, bool] = {}
    for given in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(given, dict):
            name, mode = given["container"], "ro" if given["read_only"] else "rw"
        else:
            name, _colon, mode = parse_text(given, option).partition(":")
        if not re.fullmatch(_CONTAINER_NAME, name, re.ASCII) or mode not in ("", "ro", "rw"):
            raise refuse(given, option, "is not a container", "write its name, or name:ro")
        if sources.setdefault(name, mode == "ro") != (mode == "ro"):
            raise refuse(given, option, f"names {name} a second time, in another way")
    return [{"container": name, "read_only": read_only} for name, read_only in sources.items()]
