# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""SELinux labels of files that containers are to use. Where SELinux is not enforcing, nobody asks for them.

Source: selinux(8), container_contexts(5); the label of container files is what the policy says in
`lxc_contexts`, else that of the reference policy.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat

from ..errors import InvalidInput
from .descent import Descent

SELINUXFS = "/sys/fs/selinux"
CONFIGURATION = "/etc/selinux"

_ATTRIBUTE = "security.selinux"
_DEFAULT_LABEL = "system_u:object_r:container_file_t:s0"
_CATEGORIES = 1024

_SYSTEM = frozenset(
    (
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media"),
        *("/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var"),
        *("/etc/group", "/etc/passwd", "/etc/pki", "/etc/shadow", "/etc/ssh", "/etc/ssl"),
        *("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/sbin", "/usr/share"),
        *("/var/cache", "/var/lib", "/var/log", "/var/run", "/var/spool", "/var/tmp"),
    )
)
_KERNEL = ("/proc/", "/sys/", "/dev/")


def is_enforcing() -> bool:
    try:
        with open(os.path.join(SELINUXFS, "enforce"), encoding="ascii") as file:
            return file.read(1) == "1"
    except OSError:
        return False


def container_label(owner: str = "") -> str:
    """For files that all containers share or, with `owner`, that only one may use: two categories that follow
    from its id.
    """
    label = _policy_label()
    if not owner:
        return label
    digest = hashlib.sha256(owner.encode()).digest()
    first = int.from_bytes(digest[:4], "big") % _CATEGORIES
    second = (first + 1 + int.from_bytes(digest[4:8], "big") % (_CATEGORIES - 1)) % _CATEGORIES
    low, high = sorted((first, second))
    return f"{label}:c{low},c{high}"


def _policy_label() -> str:
    try:
        with open(os.path.join(CONFIGURATION, "config"), encoding="utf-8", errors="replace") as file:
            policy = re.search(r"^SELINUXTYPE=([\w-]+)", file.read(), re.MULTILINE)
        name = policy[1] if policy else "targeted"
        with open(
            os.path.join(CONFIGURATION, name, "contexts", "lxc_contexts"), encoding="utf-8", errors="replace"
        ) as file:
            label = re.search(r'^file *= *"([^"]+)"', file.read(), re.MULTILINE)
        return label[1] if label else _DEFAULT_LABEL
    except OSError:
        return _DEFAULT_LABEL


def relabel(path: str, label: str) -> None:
    """Give `path` and all that is below it the label, other file systems and what links lead to left out.

    InvalidInput for directories of the system: with other labels the host would not work any more.
    """
    place = os.path.realpath(path)
    if place in _SYSTEM or place.startswith(_KERNEL) or os.path.dirname(place) == "/home":
        raise InvalidInput(
            f"{place} belongs to the system and cannot be relabelled",
            "leave out z and Z, or choose a directory below it",
        )
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _set(f"/proc/self/fd/{fd}", label, follow=True)
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            _relabel_below(fd, found.st_dev, label)
    finally:
        os.close(fd)


def _relabel_below(root: int, device: int, label: str) -> None:
    """Names that go away meanwhile do not matter."""
    pending = [""]
    with Descent(root) as directories:
        while pending:
            path = pending.pop()
            try:
                directory = directories.enter(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for name in os.listdir(directory):
                try:
                    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                    if found.st_dev != device:
                        continue
                    _set(f"/proc/self/fd/{directory}/{name}", label, follow=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(found.st_mode):
                    pending.append(f"{path}/{name}")


def _set(path: str, label: str, follow: bool) -> None:
    value = label.encode() + b"\0"
    try:
        if os.getxattr(path, _ATTRIBUTE, follow_symlinks=follow).rstrip(b"\0") == value[:-1]:
            return
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
    try:
        os.setxattr(path, _ATTRIBUTE, value, follow_symlinks=follow)
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # a file system that has one label for all its files
            raise
