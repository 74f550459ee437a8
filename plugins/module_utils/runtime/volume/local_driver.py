# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Mounting a volume on its directory, as Docker's driver `local` does it.

The kernel mounts by itself, without helper programs: host names in `addr` become addresses first.
"""

from __future__ import annotations

import errno
import re
import typing as t

from ..errors import HostNotReady, InvalidInput, NotFound, doing
from ..linux import syscalls
from ..linux.mount_options import split_options, without_passwords
from ..linux.mounts import is_mounted, unmount
from .driver_options import Options

_NETWORK_TYPES = ("nfs", "nfs4", "cifs", "smb3")


class Arguments(t.NamedTuple):
    """Of mount(2), but for the target."""

    source: str
    fstype: str
    flags: int
    data: str

    @property
    def binds(self) -> bool:
        return bool(self.flags & syscalls.MS_BIND)


def mount_volume(options: Options, target: str) -> None:
    """Mount the volume on its directory `target`; fine if it is mounted."""
    if is_mounted(target):
        return
    arguments = mount_arguments(options)
    with doing(f"mount {options['device']}"):
        try:
            if arguments.binds:
                _bind(arguments, target)
            else:
                syscalls.mount(
                    arguments.source, target, arguments.fstype, arguments.flags, arguments.data or None
                )
        except OSError as error:
            raise _explained(error, arguments) from error


def unmount_volume(target: str) -> None:
    """Fine if it is not mounted."""
    while is_mounted(target):
        unmount(target)


def mount_arguments(options: Options, resolve: t.Callable[[str], str] | None = None) -> Arguments:
    """`resolve` turns the name of a host into an address."""
    flags, data = split_options(options.get("o", ""))
    if options["type"] in _NETWORK_TYPES:
        data = _with_address(options["device"], data, resolve or _address)
    fstype = "" if flags & syscalls.MS_BIND else options["type"]
    return Arguments(options["device"], fstype, flags, ",".join(data))


def _with_address(device: str, data: list[str], resolve: t.Callable[[str], str]) -> list[str]:
    """`addr` as the kernel wants it, a number; the host may be in the device, too: `host:/x`, `//host/x`."""
    hosts = [word.partition("=")[2] for word in data if word.startswith("addr=")]
    match = re.match(r"//([^/\\]+)|\[([^\]]+)\]:|([^:/]+):", device)
    if not hosts and match is not None:
        hosts = [match[1] or match[2] or match[3]]
    rest = [word for word in data if not word.startswith("addr=")]
    return [f"addr={resolve(hosts[0])}", *rest] if hosts and hosts[0] else rest


def _address(host: str) -> str:
    import socket

    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise NotFound(
            f"the host {host!r} has no address: {error.strerror or error}", "check the name"
        ) from error


def _bind(arguments: Arguments, target: str) -> None:
    """Other flags than those of the bind itself take effect in a second step, mount(2)."""
    first = arguments.flags & (syscalls.MS_BIND | syscalls.MS_REC)
    more = arguments.flags & ~first
    syscalls.mount(arguments.source, target, None, first)
    if more:
        try:
            syscalls.mount(None, target, None, syscalls.MS_BIND | syscalls.MS_REMOUNT | more)
        except OSError:
            unmount(target)
            raise


def _explained(error: OSError, arguments: Arguments) -> Exception:
    if error.errno == errno.ENODEV:
        return HostNotReady(
            f"this kernel has no file system {arguments.fstype}",
            f"load its module: modprobe {arguments.fstype}",
        )
    if error.errno == errno.ENOENT and (arguments.binds or arguments.source.startswith("/")):
        return NotFound(f"{arguments.source} does not exist", "create it on the host first")
    if error.errno in (errno.EINVAL, errno.EIO):
        what = f"the kernel does not accept it as {arguments.fstype or 'bind mount'}"
        given = without_passwords(arguments.data)
        if given:
            return InvalidInput(f"{what} with o: {given}", "correct the option o; the kernel log tells more")
        return InvalidInput(what, "look at the kernel log")
    return OSError(error.errno, error.strerror)
