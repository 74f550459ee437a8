# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of a volume, those of Docker's driver `local`: what is mounted on its directory, if anything.

    type     the file system: tmpfs, nfs, cifs, ext4…; none for a bind mount
    device   what is mounted: `:/export`, `//host/share`, `/dev/sdb1`, a directory of the host
    o        options as in fstab(5): flags of mount(2), the rest is for the file system

A volume without options is a directory and nothing else.
"""

from __future__ import annotations

import re
import typing as t

from ..errors import InvalidInput
from ..linux.mount_options import without_passwords

DRIVER = "local"

_KEYS = ("type", "device", "o")
_SYNTAX = (
    "the driver local has the options type, device and o, as in `type: nfs, device: :/srv, o: addr=10.0.0.1`"
)
_TYPE = r"[a-z0-9][a-z0-9._-]{0,63}"
_CONTROL = r"[\x00-\x1f\x7f\ud800-\udfff]"
_VOLATILE_TYPES = ("tmpfs", "ramfs")

Options = t.Mapping[str, str]


def parse_driver_options(value: t.Any, option: str) -> dict[str, str]:
    """`{"type", "device", "o"}`, or nothing at all, in normal form. InvalidInput names the option."""
    if not isinstance(value, dict):
        raise InvalidInput(f"{option} is not a dictionary", _SYNTAX, option=option)
    given = {str(key): _text(content, f"{option}: {key}") for key, content in value.items()}
    for key in given:
        if key not in _KEYS:
            raise InvalidInput(f"{option}: the driver local has no option {key!r}", _SYNTAX, option=option)
    words = [word.strip() for word in given.get("o", "").split(",")]
    words = [word for word in words if word not in ("", "defaults")]
    options = {"type": given.get("type", ""), "device": given.get("device", ""), "o": ",".join(words)}
    options = {key: content for key, content in options.items() if content}
    return _complete(options, words, option) if options else {}


def _text(value: t.Any, option: str) -> str:
    text = "" if value is None else str(value).strip()
    if isinstance(value, (bool, dict, list)) or re.search(_CONTROL, text):
        raise InvalidInput(f"{option} is not a text on one line", "quote it")
    return text


def _complete(options: dict[str, str], words: list[str], option: str) -> dict[str, str]:
    """With what follows from the rest."""
    binds = "bind" in words or "rbind" in words
    fstype = options.setdefault("type", "none" if binds else "")
    if not re.fullmatch(_TYPE, fstype):
        raise InvalidInput(f"{option}: type is missing or is no file system", _SYNTAX, option=option)
    if fstype in _VOLATILE_TYPES:
        options.setdefault("device", fstype)
    if fstype in ("none", "bind") and not binds:
        raise InvalidInput(f"{option}: type {fstype} needs `bind` in o", _SYNTAX, option=option)
    device = options.get("device", "")
    if not device:
        raise InvalidInput(f"{option}: device is missing", _SYNTAX, option=option)
    if binds and (not device.startswith("/") or ".." in device.split("/")):
        raise InvalidInput(
            f"{option}: device {device!r} is not an absolute path",
            'write it in full, without ".."',
            option=option,
        )
    unusable = [word for word in words if word in ("remount", "move")]
    if unusable:
        raise InvalidInput(f"{option}: o cannot have {unusable[0]}", _SYNTAX, option=option)
    return {key: options[key] for key in _KEYS if options.get(key)}


def without_secrets(options: Options) -> dict[str, str]:
    """The same, fit to be shown: passwords in `o` are hidden."""
    return {**options, "o": without_passwords(options["o"])} if "o" in options else dict(options)


def forgets(options: Options) -> bool:
    """Is the content gone when the volume is unmounted?"""
    return options.get("type") in _VOLATILE_TYPES
