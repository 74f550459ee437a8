# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Device nodes of a container and the rules of its device control group.

Every container has null, zero, full, random, urandom, tty, console, ptmx and its own terminals: the runtime
makes the nodes on the fresh tmpfs that is `/dev`. Everything else is denied unless asked for; image layers
may bring nodes, and they stay dead.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ..errors import InvalidInput, NotFound
from .config import ContainerConfig
from .mount_values import RESERVED_DEVICES

_RUNTIME_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_ALWAYS = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2))
_PSEUDO_TERMINALS = 136  # first major of the slave side; any minor
_MOST_DEVICES = 4096


class Device(t.NamedTuple):
    """A node as the runtime has to make it; `type` is `c` or `b`."""

    path: str
    type: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    permissions: str = "rwm"

    def node(self) -> dict[str, t.Any]:
        """An entry of `linux.devices`."""
        return {
            "path": self.path,
            "type": self.type,
            "major": self.major,
            "minor": self.minor,
            "fileMode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
        }

    def rule(self) -> dict[str, t.Any]:
        """An entry of `linux.resources.devices`."""
        return _allow(self.type, self.major, self.minor, self.permissions)


def container_devices(config: ContainerConfig) -> list[Device]:
    """What was asked for, as it is on this host now; all of the host's for a privileged container."""
    found = _host_devices() if config.privileged else []
    named = named_devices(config)
    for asked in config.devices or ():
        if asked["path_on_host"] in named:
            continue
        found += _asked_devices(asked["path_on_host"], asked["path_in_container"], asked["permissions"])
    by_path = {device.path: device for device in found}
    if len(by_path) > _MOST_DEVICES:
        raise InvalidInput(f"devices: more than {_MOST_DEVICES} devices", "name the ones that are needed")
    return [by_path[path] for path in sorted(by_path)]


def named_devices(config: ContainerConfig) -> list[str]:
    """Those that are described on the host by name (cdi.py), from both options that can ask for them."""
    paths = [asked["path_on_host"] for asked in config.devices or ()]
    names = [path for path in paths if not path.startswith("/")]
    return sorted({*names, *(config.device_requests or ())})


def check_devices(config: ContainerConfig) -> None:
    """Raise what the start would: NotFound for what is not on this host."""
    container_devices(config)
    names = named_devices(config)
    if names:
        from .cdi import find_devices

        find_devices(names)


def device_rules(devices: t.Sequence[Device], *, everything: bool) -> list[dict[str, t.Any]]:
    """`linux.resources.devices`: deny all, allow the usual ones and `devices`; or allow everything."""
    if everything:
        return [{"allow": True, "access": "rwm"}]
    usual = [_allow("c", major, minor, "rwm") for major, minor in _ALWAYS]
    terminals = {"allow": True, "type": "c", "major": _PSEUDO_TERMINALS, "access": "rwm"}
    return [{"allow": False, "access": "rwm"}, *usual, terminals, *[device.rule() for device in devices]]


def rule_of(text: str) -> dict[str, t.Any]:
    """`c 189:* rwm`, the normal form of an item of `device_cgroup_rules`, as the runtime takes it."""
    kind, numbers, permissions = text.split(" ")
    major, minor = numbers.split(":")
    rule: dict[str, t.Any] = {"allow": True, "access": permissions}
    rule.update({} if kind == "a" else {"type": kind})
    rule.update({name: int(number) for name, number in (("major", major), ("minor", minor)) if number != "*"})
    return rule


def block_device(path: str, option: str) -> tuple[int, int]:
    """Major and minor number of a disk of this host."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise NotFound(f"{option}: {path}: {error.strerror}", "name a disk of this host") from None
    if not stat.S_ISBLK(found.st_mode):
        raise InvalidInput(f"{option}: {path} is not a block device", "name a disk of this host")
    return os.major(found.st_rdev), os.minor(found.st_rdev)


def _allow(kind: str, major: int, minor: int, permissions: str) -> dict[str, t.Any]:
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": permissions}


def _asked_devices(host_path: str, path: str, permissions: str) -> list[Device]:
    """The device at `host_path`, or every device below it when it is a directory. Links are followed."""
    try:
        found = os.stat(host_path)
    except FileNotFoundError:
        raise NotFound(
            f"devices: {host_path} is not on this host", "load its driver or leave it out"
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        return [_device(found, path, permissions, host_path)]
    inside = [(name, os.path.join(host_path, name)) for name in sorted(_relative_devices(host_path))]
    if not inside:
        raise NotFound(f"devices: there is no device in {host_path}", "load its driver or leave it out")
    return [_device(os.stat(name), f"{path}/{relative}", permissions, name) for relative, name in inside]


def _host_devices() -> list[Device]:
    return [
        _device(os.stat(f"/dev/{name}"), f"/dev/{name}", "rwm", f"/dev/{name}")
        for name in _relative_devices("/dev")
        if name.split("/")[0] not in RESERVED_DEVICES and name not in _RUNTIME_DEVICES
    ]


def _relative_devices(top: str) -> t.Iterator[str]:
    """Paths below `top` that are device nodes themselves; links and other mounts' pseudo terminals are left
    out.
    """
    for directory, _directories, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            if _is_device(os.lstat(path)):
                yield os.path.relpath(path, top)


def _is_device(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)


def _device(found: os.stat_result, path: str, permissions: str, host_path: str) -> Device:
    if not _is_device(found):
        raise InvalidInput(f"devices: {host_path} is not a device", "use volumes for files and directories")
    return Device(
        path=path,
        type="b" if stat.S_ISBLK(found.st_mode) else "c",
        major=os.major(found.st_rdev),
        minor=os.minor(found.st_rdev),
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        permissions=permissions,
    )
