# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`volumes`, `tmpfs` and `devices`: texts with paths on both sides of a colon, and the working directory.

Paths are compared by what they name: `/srv//x/` is `/srv/x`. A `..` is refused rather than resolved: what it
means depends on symbolic links that somebody else may own.
"""

from __future__ import annotations

import os
import posixpath
import re
import typing as t

from .values import parse_integer, parse_size, parse_text, parse_texts, refuse

_VOLUME_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}"
_VOLUME_SYNTAX = "write source:target[:modes]; source is an absolute path or the name of a volume"
_TMPFS_SYNTAX = "write for example /run:size=64m,mode=0755,exec; mode is octal, uid and gid are numbers"
_DEVICE_SYNTAX = "write /dev/host[:/dev/container][:rwm]"

PROPAGATIONS = ("shared", "rshared", "slave", "rslave", "private", "rprivate")
READ_ONLY_ON_TOP = "ro-non-recursive"
"""What is mounted below a read-only bind mount can be written to; only `mounts` can say so."""

_DEFAULT_MODES = ("rw", "rprivate", "rbind", "exec", "suid", "dev", "consistent", "cached", "delegated")
_MODES = ("ro", "nocopy", "z", "Z", "noexec", "nosuid", "nodev", "bind", *PROPAGATIONS, *_DEFAULT_MODES)
_MODES_NOT_FOR = {"bind": ("nocopy",), "volume": ("bind", *PROPAGATIONS)}
_OPPOSITES = (("ro", "rw"), ("exec", "noexec"), ("suid", "nosuid"), ("dev", "nodev"))
_VOLUME_OPPOSITES = (*_OPPOSITES, ("bind", "rbind"), ("z", "Z"), PROPAGATIONS)

_TMPFS_FLAGS = ("ro", "exec", "suid", "dev", "noatime", "nodiratime", "relatime", "strictatime", "sync")
_TMPFS_DEFAULTS = ("defaults", "rw", "noexec", "nosuid", "nodev", "async", "atime", "diratime")
_TMPFS_OPPOSITES = (*_OPPOSITES, ("sync", "async"))

RESERVED_DEVICES = ("pts", "shm", "mqueue", "ptmx", "console", "fd", "stdin", "stdout", "stderr", "core")
"""Names under `/dev` that the engine or the runtime fills itself."""


def parse_path(value: t.Any, option: str) -> str:
    """An absolute path without `..`, repeated or trailing slashes."""
    text = parse_text(value, option)
    if not text.startswith("/"):
        raise refuse(value, option, "is not an absolute path")
    if ".." in text.split("/"):
        raise refuse(value, option, 'contains ".."', "write the path without it")
    if is_too_long(text):
        raise refuse(value, option, "is too long for a path")
    return posixpath.normpath("/" + text.lstrip("/"))


def is_too_long(path: str) -> bool:
    """Beyond PATH_MAX, or a name in it beyond NAME_MAX."""
    return len(path.encode()) > 4095 or any(len(name.encode()) > 255 for name in path.split("/"))


def parse_working_dir(value: t.Any, option: str) -> str:
    """`/proc/self/fd/N` is a door to the host's files (CVE-2024-21626): nothing under `/proc` will do."""
    path = parse_path(value, option)
    if path == "/proc" or path.startswith("/proc/"):
        raise refuse(value, option, "is in /proc", "choose a directory of the image")
    return path


def parse_volumes(value: t.Any, option: str) -> list[dict[str, t.Any]]:
    """Normal forms sorted by target; one target can be named once."""
    volumes: dict[str, dict[str, t.Any]] = {}
    for item in value if isinstance(value, (list, tuple)) else parse_texts(value, option):
        volume = parse_volume(item, option)
        if volume["target"] in volumes and volumes[volume["target"]] != volume:
            raise refuse(item, option, f"is the second volume for {volume['target']}", "keep one of them")
        volumes[volume["target"]] = volume
    return [volumes[target] for target in sorted(volumes)]


def parse_volume(value: t.Any, option: str) -> dict[str, t.Any]:
    """`{"type": "bind"|"volume", "source", "target", "read_only", "options"}` from `source:target[:modes]`.

    A single path is an anonymous volume: type `volume`, source `""`.
    """
    if isinstance(value, dict):
        return _volume_again(value, option)
    parts = parse_text(value, option).split(":")
    if len(parts) == 1:
        target = mount_target(value, parts[0], option)
        return {"type": "volume", "source": "", "target": target, "read_only": False, "options": []}
    if len(parts) > 3 or not parts[1].startswith("/"):
        raise refuse(value, option, "is not a volume", _VOLUME_SYNTAX)
    options = _volume_modes(value, parts[2] if len(parts) == 3 else "", option)
    kind, source = volume_source(value, parts[0], option)
    misplaced = [mode for mode in options if mode in _MODES_NOT_FOR[kind]]
    if misplaced:
        raise refuse(value, option, f"has the mode {misplaced[0]}, which a {kind} cannot have")
    return {
        "type": kind,
        "source": source,
        "target": mount_target(value, parts[1], option),
        "read_only": "ro" in options,
        "options": [mode for mode in options if mode != "ro"],
    }


def _volume_again(volume: dict[str, t.Any], option: str) -> dict[str, t.Any]:
    if not volume["source"]:
        return parse_volume(volume["target"], option)
    modes = ",".join([*(["ro"] if volume["read_only"] else []), *volume["options"]])
    return parse_volume(f"{volume['source']}:{volume['target']}" + (f":{modes}" if modes else ""), option)


def volume_source(value: t.Any, text: str, option: str) -> tuple[str, str]:
    """`("bind", path)` or `("volume", name)`."""
    if text.startswith("/"):
        return "bind", parse_path(text, option)
    if text == "~" or text.startswith("~/"):
        return "bind", parse_path(os.path.expanduser("~root") + text[1:], option)
    if text.startswith((".", "~")):
        raise refuse(value, option, "has a relative source", "write the absolute path on the host")
    if not re.fullmatch(_VOLUME_NAME, text, re.ASCII):
        raise refuse(value, option, "has a source that is neither a path nor a volume name", _VOLUME_SYNTAX)
    return "volume", text


def mount_target(value: t.Any, text: str, option: str) -> str:
    """A path in the container; `value` is what the error shows."""
    path = parse_path(text, option)
    if path == "/":
        raise refuse(value, option, "would cover the whole container", "mount it below /")
    return path


def _volume_modes(value: t.Any, text: str, option: str) -> list[str]:
    modes = set(text.split(",")) if text else set()
    unknown = modes.difference(_MODES)
    if unknown:
        known = ", ".join(dict.fromkeys(_MODES))
        raise refuse(value, option, f"has the unknown mode {sorted(unknown)[0]!r}", f"known modes: {known}")
    _refuse_opposites(value, modes, _VOLUME_OPPOSITES, option)
    return sorted(modes.difference(_DEFAULT_MODES))


def _refuse_opposites(
    value: t.Any, given: set[str], groups: t.Iterable[t.Sequence[str]], option: str
) -> None:
    for group in groups:
        both = [word for word in group if word in given]
        if len(both) > 1:
            raise refuse(value, option, f"asks for {both[0]} and {both[1]} at once")


def parse_tmpfs(value: t.Any, option: str) -> dict[str, str]:
    """Options by target from `["/run", "/tmp:size=64m,exec"]`; what a tmpfs has anyway is left out."""
    items = [f"{target}:{options}" for target, options in value.items()] if isinstance(value, dict) else value
    mounts: dict[str, str] = {}
    for item in parse_texts(items, option):
        path, _colon, options = item.partition(":")
        target = mount_target(item, path, option)
        normal = tmpfs_options(item, options, option)
        if mounts.setdefault(target, normal) != normal:
            raise refuse(item, option, f"is the second tmpfs for {target}")
    return {target: mounts[target] for target in sorted(mounts)}


def tmpfs_options(value: t.Any, text: str, option: str) -> str:
    """Sorted, without what a tmpfs has anyway."""
    words = {word for word in text.split(",") if word}
    _refuse_opposites(value, words, _TMPFS_OPPOSITES, option)
    settings: dict[str, str] = {}
    for word in sorted(words.difference(_TMPFS_DEFAULTS)):
        key, equals, argument = word.partition("=")
        if not equals and key not in _TMPFS_FLAGS:
            raise refuse(value, option, f"has the unknown option {word!r}", _TMPFS_SYNTAX)
        if key in settings:
            raise refuse(value, option, f"gives {key} twice")
        settings[key] = f"{key}={_tmpfs_setting(value, key, argument, option)}" if equals else key
    return ",".join(settings[key] for key in sorted(settings))


def _tmpfs_setting(value: t.Any, key: str, argument: str, option: str) -> str:
    if key in ("size", "nr_inodes"):
        percentage = re.fullmatch(r"(\d{1,3})%", argument, re.ASCII)
        return f"{int(percentage[1])}%" if percentage and key == "size" else str(parse_size(argument, option))
    if key in ("uid", "gid"):
        return str(parse_integer(argument, option, 0, 2**31 - 1))
    if key == "mode" and re.fullmatch(r"0?[0-7]{3,4}", argument, re.ASCII):
        return f"{int(argument, 8):04o}"
    raise refuse(value, option, f"has the unusable option {key}={argument}", _TMPFS_SYNTAX)


def parse_devices(value: t.Any, option: str) -> list[dict[str, str]]:
    """`[{"path_on_host", "path_in_container", "permissions"}]` from `host[:container][:permissions]`."""
    devices: dict[str, dict[str, str]] = {}
    for item in value if isinstance(value, (list, tuple)) else parse_texts(value, option):
        device = _device(item, option)
        known = devices.setdefault(device["path_in_container"], device)
        if known != device:
            raise refuse(item, option, f"is the second device for {device['path_in_container']}")
    return [devices[path] for path in sorted(devices)]


def _device(value: t.Any, option: str) -> dict[str, str]:
    name = value["path_on_host"] if isinstance(value, dict) else value
    if isinstance(name, str) and "=" in name and not name.startswith("/"):
        return _named_device(name, option)
    if isinstance(value, dict):
        value = ":".join((value["path_on_host"], value["path_in_container"], value["permissions"]))
    parts = parse_text(value, option).split(":")
    permissions = parts.pop() if len(parts) > 1 and not parts[-1].startswith("/") else "rwm"
    if len(parts) > 2 or not re.fullmatch("[rwm]{1,3}", permissions) or not parts[0].startswith("/"):
        raise refuse(value, option, "is not a device", _DEVICE_SYNTAX)
    inside = parse_path(parts[-1], option)
    if not inside.startswith("/dev/"):
        raise refuse(value, option, "puts a device outside /dev", _DEVICE_SYNTAX)
    if inside.split("/")[2] in RESERVED_DEVICES:
        raise refuse(value, option, f"takes the place of {inside}, which every container has of its own")
    return {
        "path_on_host": parse_path(parts[0], option),
        "path_in_container": inside,
        "permissions": "".join(letter for letter in "rwm" if letter in permissions),
    }


def _named_device(name: str, option: str) -> dict[str, str]:
    """One that a driver describes (cdi.py), with the name in place of both paths."""
    from .device_values import is_device_name

    if not is_device_name(name):
        raise refuse(name, option, "is not the name of a device", 'write for example "nvidia.com/gpu=all"')
    return {"path_on_host": name, "path_in_container": name, "permissions": "rwm"}
