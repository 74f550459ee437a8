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
import typing as t

from ..errors import Conflict
from . import syscalls
from .mounts import bind_mount, is_file_system, unmount

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_NS_GET_NSTYPE = 0xB703

T = t.TypeVar("T")


def create_network_namespace(path: str) -> None:
    """A new network namespace, loopback up, kept alive by a mount on the file `path`."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    if is_file_system(path):
        raise Conflict(f"{path} is a network namespace already")

    def make() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        loopback_up()
        bind_mount("/proc/thread-self/ns/net", path)

    try:
        in_thread(make)
    except BaseException:
        os.unlink(path)
        raise


def remove_network_namespace(path: str) -> None:
    """Give up the name; the namespace goes with its last process. Fine if it is not there."""
    unmount(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def in_network_namespace(path: str, function: t.Callable[[], T]) -> T:
    """What `function` gives, called in the network namespace that `path` names. FileNotFoundError where there
    is none.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def visit() -> T:
        syscalls.setns(fd, syscalls.CLONE_NEWNET)
        return function()

    try:
        return in_thread(visit)
    finally:
        os.close(fd)


def in_thread(function: t.Callable[[], T]) -> T:
    """unshare(2) and setns(2) concern the calling thread alone: a thread leaves the others where they are and
    costs less than a process.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def is_network_namespace(path: str) -> bool:
    """Is there one at `path`? Source: ioctl_ns(2)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return fcntl.ioctl(fd, _NS_GET_NSTYPE) == syscalls.CLONE_NEWNET
    except OSError:
        return False
    finally:
        os.close(fd)


def loopback_up() -> None:
    """Bring `lo` up in the network namespace of this thread. Source: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))
