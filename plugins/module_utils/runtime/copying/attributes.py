# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Extended attributes that travel with a file where all is to be kept: those that say something about the
file, not about the file system it lies on.
"""

from __future__ import annotations

import errno
import os
import typing as t

from ..layers.attributes import CAPABILITY, is_kept


def kept_attributes(fd: int) -> dict[str, bytes]:
    """Of an open file or directory; O_PATH will do."""
    place = f"/proc/self/fd/{fd}"
    try:
        names = os.listxattr(place)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    found = {}
    for name in names:
        if name == CAPABILITY.decode() or name.startswith("user."):
            value = os.getxattr(place, name)
            if is_kept(os.fsencode(name), value):
                found[name] = value
    return found


def give_attributes(fd: int, wanted: t.Mapping[str, bytes]) -> None:
    """Exactly these of those that travel. A file system without `user.*` attributes goes without."""
    place = f"/proc/self/fd/{fd}"
    there = kept_attributes(fd)
    for name in there.keys() - wanted.keys():
        os.removexattr(place, name)
    for name, value in wanted.items():
        if there.get(name) == value or not is_kept(os.fsencode(name), value):
            continue
        try:
            os.setxattr(place, name, value)
        except OSError as error:
            if name == CAPABILITY.decode() or error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
