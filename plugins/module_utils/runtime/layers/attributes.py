# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Extended attributes that an image may bring: an allow-list.

`trusted.overlay.*` would steer the overlay file system itself, `security.selinux` or `security.ima` belong to
the host, and `user.overlay.*` is what an overlay mounted inside would obey. So: file capabilities that mean
the host's root, and `user.*` without that.
"""

from __future__ import annotations

import errno
import os

CAPABILITY = b"security.capability"

# linux/capability.h: revision in the top byte of the first little-endian word -> size of the value
_CAPABILITY_SIZES = {1: 12, 2: 20, 3: 24}
_ROOT_ID = slice(20, 24)


def is_kept(name: bytes, value: bytes) -> bool:
    if name == CAPABILITY:
        return _is_of_root(value)
    return name.startswith(b"user.") and not name.startswith(b"user.overlay.")


def _is_of_root(value: bytes) -> bool:
    """Revision 3 names the user who is root of the namespace for which the capabilities count: only the
    host's root.
    """
    revision = value[3] if len(value) >= 4 else 0
    return len(value) == _CAPABILITY_SIZES.get(revision) and not any(value[_ROOT_ID])


def set_attributes(fd: int, attributes: dict[bytes, bytes]) -> None:
    """Give an open file or directory those that are kept. A file system without `user.*` attributes goes
    without.
    """
    for name, value in attributes.items():
        if not is_kept(name, value):
            continue
        try:
            os.setxattr(fd, name, value)
        except OSError as error:
            if name == CAPABILITY or error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def clear_attributes(fd: int) -> None:
    """Take away what `set_attributes` may have given."""
    for name in os.listxattr(fd):
        if name == CAPABILITY.decode() or (name.startswith("user.") and not name.startswith("user.overlay.")):
            os.removexattr(fd, name)
