# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces that have a name in the file system and so outlive their maker.

A crash between the two steps of making one leaves an empty file; `create_network_namespace` uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import threading

from ..errors import Conflict
from . import syscalls
from .mounts import bind_mount, is_mounted, unmount

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def create_network_namespace(path: str) -> None:
    """A new network namespace, loopback up, kept alive by a mount on the file `path`."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    if is_mounted(path):
        raise Conflict(f"{path} is a network namespace already")
    errors: list[BaseException] = []

    def make() -> None:
        try:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            loopback_up()
            bind_mount("/proc/thread-self/ns/net", path)
        except BaseException as error:
            errors.append(error)

    # unshare(2) concerns the calling thread alone: a thread comes back clean and costs less than a process.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if errors:
        os.unlink(path)
        raise errors[0]


def remove_network_namespace(path: str) -> None:
    """Give up the name; the namespace goes with its last process. Fine if it is not there."""
    unmount(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def loopback_up() -> None:
    """Bring `lo` up in the network namespace of this thread. Source: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))
