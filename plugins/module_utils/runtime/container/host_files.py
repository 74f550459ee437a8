# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The container's own /etc/hosts, /etc/resolv.conf and /etc/hostname.

    <root>/containers/<id>/{hosts,resolv.conf,hostname}    0644 below a directory of 0700; written at every
    start

Mounted over the image's files, so that what the program writes there stays in the container. Not synced: a
power cut ends the container that reads them.
"""

from __future__ import annotations

import os

from ..linux.files import write_all

HOSTS, RESOLV_CONF, HOSTNAME = "hosts", "resolv.conf", "hostname"
_LARGEST = 1 << 20  # bytes of a host's file that we take
_STUB = b"127.0.0.53"  # systemd-resolved's address, which only the host has
_RESOLVED = "/run/systemd/resolve/resolv.conf"
_LOCAL_HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


def write_host_files(directory: str, hostname: str, network_mode: str, etc: str = "/etc") -> None:
    """`network_mode` host: the host's names are the container's; none: only its own."""
    write_plain(os.path.join(directory, HOSTNAME), f"{hostname}\n".encode(), 0o644)
    write_plain(os.path.join(directory, HOSTS), _hosts(hostname, network_mode, etc), 0o644)
    write_plain(os.path.join(directory, RESOLV_CONF), _resolv_conf(network_mode, etc), 0o644)


def _hosts(hostname: str, network_mode: str, etc: str) -> bytes:
    if network_mode == "host":
        return _read(os.path.join(etc, "hosts")) or _LOCAL_HOSTS.encode()
    return f"{_LOCAL_HOSTS}127.0.0.1\t{hostname}\n".encode()


def _resolv_conf(network_mode: str, etc: str) -> bytes:
    if network_mode != "host":
        return b""
    own = _read(os.path.join(etc, "resolv.conf"))
    return (_read(_RESOLVED) or own) if _STUB in own else own


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST)
    except FileNotFoundError:
        return b""


def write_plain(path: str, data: bytes, mode: int) -> None:
    """Write a file that need not survive a power cut, with its mode whatever the umask."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        write_all(fd, data)
    finally:
        os.close(fd)
