# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The root file system of a container as a tar: its image with what it has written. What is mounted into it,
volumes among it, is not part of it, as in Docker.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..copying.place import Place
from ..copying.tar_writer import write_tar
from ..copying.tree_source import TreeSource
from ..linux.mounts import is_mounted
from .locked_container import acting, locked_container
from .mounted_root import mounted_root

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine


def export_container(engine: Engine, name: str, write: t.Callable[[bytes], t.Any]) -> list[str]:
    """What was left out, because it is no file: devices and sockets. A container that runs goes on; one at
    rest cannot be started meanwhile.
    """
    with acting(engine, "export", name) as found, contextlib.ExitStack() as stack:
        root = stack.enter_context(_root(engine, found))
        place = Place(root, f"container {found.name}")
        stack.callback(place.close)
        source = TreeSource(place, "/", archive=True)
        write_tar(source, write, ".")
        return source.left_out


@contextlib.contextmanager
def _root(engine: Engine, record: ContainerRecord) -> t.Iterator[int]:
    """A descriptor of the mounted root file system, before anything is mounted on it: that is done in the
    container's own mount namespace.
    """
    with contextlib.ExitStack() as stack:
        path = os.path.join(engine.paths.container(record.id), "rootfs")
        if not is_mounted(path):
            fresh = stack.enter_context(locked_container(engine, record.id))
            if not is_mounted(path):
                path = stack.enter_context(mounted_root(engine, fresh))
        root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, root)
        yield root
