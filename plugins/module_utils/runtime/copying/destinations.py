# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where something goes that is copied to a path, by the rules of Ansible's `copy` and by those of Docker.

                    copy                               docker cp
file → directory    into it                            into it
file → `none/`      into it; it is made                refused
directory `a`       as `dest/a`; `dest` is made        as `dest/a`; becomes `dest` if there is none
its content         `a/`                               `a/.`
"""

from __future__ import annotations

import typing as t

from ..errors import Conflict, InvalidInput, NotFound
from .place import Place, absolute, join, split


class Destination(t.NamedTuple):
    """`top`: the path that what is copied gets. `keeps_top`: it is a directory that takes up the content of
    another one.
    """

    top: str
    keeps_top: bool = False


def as_copy(place: Place, dest: str, name: str, *, is_directory: bool, content_only: bool) -> Destination:
    """`name` is that of what is copied, empty for a text. `content_only`: a directory ends with a slash."""
    path = absolute(dest)
    if is_directory:
        if not place.is_directory(path) and place.look(path) is not None:
            raise Conflict(f"{path} of {place.name} is not a directory", "name a directory as dest")
        return Destination(path, True) if content_only else Destination(join(path, name))
    if dest.endswith("/") or place.is_directory(path):
        if not name:
            raise InvalidInput(f"dest: {dest} of {place.name} is a directory", "with content, dest is a file")
        return Destination(join(path, name))
    _check_parent(place, path, "end dest with a slash to make it, or create it first")
    return Destination(path)


def as_docker(place: Place, dest: str, name: str, *, is_directory: bool, content_only: bool) -> Destination:
    """`content_only`: the source ends with `/.`."""
    path = absolute(dest)
    if place.is_directory(path):
        if is_directory and content_only:
            return Destination(path, True)
        return Destination(join(path, name))
    if is_directory:
        if place.look(path) is not None:
            raise Conflict(f"{path} of {place.name} is a file", "a directory cannot be copied to a file")
    elif dest.endswith(("/", "/.")):
        raise NotFound(f"there is no directory {path} in {place.name}", "create it first")
    _check_parent(place, path, "create it first")
    return Destination(path, is_directory)


def _check_parent(place: Place, path: str, hint: str) -> None:
    parent = split(path)[0]
    if parent and not place.is_directory(parent):
        raise NotFound(f"there is no directory {parent} in {place.name}", hint)
