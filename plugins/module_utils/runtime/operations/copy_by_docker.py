# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Copying by the rules of `docker cp`: modes, times and links are kept, owners only if asked for; what is
there is overwritten, but never a directory by a file.

With a stream in place of a path on the host: a tar goes out as it is read, and comes in as it is written.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..copying.compare import Wishes
from ..copying.destinations import Destination, as_docker
from ..copying.items import DIRECTORY, FILE, Item, first_of
from ..copying.landing import Landing
from ..copying.place import Place, absolute, split
from ..copying.tree_source import TreeSource
from ..errors import Conflict, NotFound, doing
from ..linux.processes import is_alive
from .deliver import deliver, differences_at, guard_host
from .reach_files import Reached, container_files, host_files

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..layers.decompress import Read


class Copied(t.NamedTuple):
    """`size` of all files in bytes, changed or not."""

    size: int
    left_out: list[str]


class Manner(t.NamedTuple):
    """`keep_owner`: `-a`. `follow`: `-L`, a link that is the source is copied as what it leads to."""

    keep_owner: bool = False
    follow: bool = False

    @property
    def wishes(self) -> Wishes:
        root = None if self.keep_owner else 0
        return Wishes(archive=True, uid=root, gid=root)


_PLAIN = Manner()


def copy_in(engine: Engine, container: str, source: str, dest: str, manner: Manner = _PLAIN) -> Copied:
    """`source` of the host to `dest` of the container."""
    with (
        _host() as host,
        doing(f"copy to container {container}"),
        container_files(engine, container, writing=True) as reached,
    ):
        return _copy(host, os.path.abspath(source) + _end(source), reached, dest, manner)


def copy_out(engine: Engine, container: str, source: str, dest: str, manner: Manner = _PLAIN) -> Copied:
    """`source` of the container to `dest` of the host."""
    with (
        _host() as host,
        doing(f"copy from container {container}"),
        container_files(engine, container, writing=False) as reached,
    ):
        whole = os.path.abspath(dest) + _end(dest)
        return _copy(reached.place, source, Reached(host, None), whole, manner)


def copy_stream_in(
    engine: Engine,
    container: str,
    read: Read,
    dest: str,
    manner: Manner = _PLAIN,
) -> Copied:
    """A tar to a directory that is there. Its numbers of owners count."""
    from ..copying.tar_source import TarSource

    with doing(f"copy to container {container}"), container_files(engine, container, writing=True) as reached:
        place, top = reached.place, absolute(dest)
        if not place.is_directory(top):
            raise NotFound(
                f"there is no directory {top} in {place.name}", "a tar is extracted to a directory"
            )
        source = TarSource(read)
        wishes = Wishes(archive=True)
        Landing(place, source, top, wishes).carry_out(source.changes(place, top, wishes))
        if reached.init is not None and not is_alive(reached.init):
            raise Conflict("it has ended while files were copied to it", "copy again")
        return Copied(source.total, source.left_out)


def copy_stream_out(
    engine: Engine,
    container: str,
    source: str,
    write: t.Callable[[bytes], t.Any],
    manner: Manner = _PLAIN,
) -> Copied:
    """A tar of a file or directory, which is called as its path is; of `/.`, the content."""
    from ..copying.tar_writer import write_tar

    with (
        doing(f"copy from container {container}"),
        container_files(engine, container, writing=False) as reached,
    ):
        tree, name, content_only = _source(reached.place, source, manner)
        size = write_tar(tree, write, "." if content_only else name)
        return Copied(size, tree.left_out)


@contextlib.contextmanager
def _host() -> t.Iterator[Place]:
    host = host_files()
    try:
        yield host
    finally:
        host.close()
        os.close(host.root)


def _end(path: str) -> str:
    """What a path ends with says something, and normal form drops it."""
    return "/." if path.endswith("/.") or path == "." else "/" if path.endswith("/") else ""


def _source(place: Place, source: str, manner: Manner) -> tuple[TreeSource, str, bool]:
    path = absolute(source)
    if manner.follow or source.endswith(("/", "/.")):
        path = place.end_of_links(path)
    name = split(absolute(source))[1]
    return TreeSource(place, path, archive=True), name, source.endswith("/.") or not name


def _copy(place: Place, source: str, at: Reached, dest: str, manner: Manner) -> Copied:
    tree, name, content_only = _source(place, source, manner)
    first: Item = first_of(tree)
    found = as_docker(at.place, dest, name, is_directory=first.kind == DIRECTORY, content_only=content_only)
    if at.record is None:
        guard_host(at.place, absolute(dest), found, first)
        destination = found
    else:
        destination = Destination(at.place.end_of_links(found.top), found.keeps_top)
    changes = differences_at(tree, at, destination, manner.wishes)
    deliver(tree, at, destination, manner.wishes, changes)
    return Copied(sum(item.size for item in tree.items() if item.kind == FILE), tree.left_out)
