# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Mount options as people write them, as in fstab(5): `ro,noexec,size=1m`."""

from __future__ import annotations

from . import syscalls

HIDDEN = "(hidden)"
_SECRETS = ("password", "password2", "passwd", "pass", "passphrase", "secret")

_SET = {
    "ro": syscalls.MS_RDONLY,
    "nosuid": syscalls.MS_NOSUID,
    "nodev": syscalls.MS_NODEV,
    "noexec": syscalls.MS_NOEXEC,
    "sync": syscalls.MS_SYNCHRONOUS,
    "dirsync": syscalls.MS_DIRSYNC,
    "noatime": syscalls.MS_NOATIME,
    "nodiratime": syscalls.MS_NODIRATIME,
    "relatime": syscalls.MS_RELATIME,
    "strictatime": syscalls.MS_STRICTATIME,
    "bind": syscalls.MS_BIND,
    "rbind": syscalls.MS_BIND | syscalls.MS_REC,
}
_CLEARED = {
    "rw": "ro",
    "suid": "nosuid",
    "dev": "nodev",
    "exec": "noexec",
    "async": "sync",
    "atime": "noatime",
    "diratime": "nodiratime",
    "norelatime": "relatime",
    "nostrictatime": "strictatime",
}


def split_options(text: str) -> tuple[int, list[str]]:
    """Flags of mount(2), and what is left for the file system, in order. Of opposites the last one counts."""
    flags = 0
    rest = []
    for word in filter(None, text.split(",")):
        if word in _SET:
            flags |= _SET[word]
        elif word in _CLEARED:
            flags &= ~_SET[_CLEARED[word]]
        else:
            rest.append(word)
    return flags, rest


def without_passwords(text: str) -> str:
    """The same, fit to be shown."""
    return ",".join(_shown(word) for word in text.split(","))


def _shown(word: str) -> str:
    name, equals, _value = word.partition("=")
    return f"{name}={HIDDEN}" if equals and name.strip().lower() in _SECRETS else word
