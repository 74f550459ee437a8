# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The files of a container as its program sees them, with all that is mounted there, by a descriptor.

    running, paused   the root of its mount namespace, whatever its program has done to its own root
    at rest           the same put together: the root file system and the mounts of the record, in a mount
                      namespace that only this process has. Nothing is left of it, even after SIGKILL

A container at rest stays so while files are written there: its lock is held. Who only looks takes no lock,
and sees the root file system read-only.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.records import ContainerRecord, find_container
from ..container.status import living_processes
from ..copying.place import Place
from ..errors import NotFound, doing
from ..linux.mount_view import MountView
from ..linux.processes import ProcessIdentity, is_alive
from ..linux.rooted import open_in_root
from ..volume.records import find_volume, volume_data
from .locked_container import locked_container
from .locked_volume import locked_volume

if t.TYPE_CHECKING:
    from ..engine import Engine

_ATTEMPTS = 5
_OF_THE_KERNEL = "a view of the kernel's state, which has no files to copy"
_HINT = "copy to one of its volumes, or mount it read-write"


class Reached(t.NamedTuple):
    """`record` is None for a volume, `init` for a container at rest. `owners`: the root with the files that
    know names of users, None for a volume.
    """

    place: Place
    record: ContainerRecord | None
    init: ProcessIdentity | None = None


@contextlib.contextmanager
def container_files(engine: Engine, name: str, *, writing: bool) -> t.Iterator[Reached]:
    """`name` is an exact name or a full id. NotFound if there is no such container."""
    with contextlib.ExitStack() as stack:
        record = _find(engine, name)
        for _attempt in range(_ATTEMPTS):
            init = living_processes(engine.paths, record).init
            if init is not None:
                place = _place_of_living(stack, record, init)
                if place is not None:
                    yield Reached(place, record, init)
                    return
            elif not writing:
                yield Reached(_place_at_rest(stack, engine, record, writing=False), record)
                return
            else:
                with locked_container(engine, record.id) as locked:
                    if living_processes(engine.paths, locked).init is None:
                        _settle(engine, locked)
                        yield Reached(_place_at_rest(stack, engine, locked, writing=True), locked)
                        return
            record = _find(engine, record.id)
        raise NotFound(f"container {record.name} starts and ends all the time", "stop it first")


@contextlib.contextmanager
def volume_files(engine: Engine, name: str) -> t.Iterator[Reached]:
    """A volume by itself, mounted for it if it has driver options."""
    record = find_volume(engine.records.read(), name)
    if record is None:
        raise NotFound(f"there is no volume {name}", "create it with the module volume")
    data = volume_data(engine.paths, name)
    with contextlib.ExitStack() as stack:
        if record.driver_options:
            from ..volume.local_driver import mount_volume

            options = record.driver_options
            stack.enter_context(locked_volume(engine, name))
            view = stack.enter_context(MountView.copy())
            with doing(f"mount volume {name}"):
                view.visit(lambda: mount_volume(options, data))
            root, mounts = view.open(data), view.mounts()
        else:
            mounts = []
            root = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        yield Reached(_kept(stack, Place(root, f"volume {name}", mounts=mounts)), None)


def host_files() -> Place:
    """What is on this host."""
    return Place(os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), "the target")


def _find(engine: Engine, name: str) -> ContainerRecord:
    found = find_container(engine.records, name)
    if found is None:
        raise NotFound(f"there is no container {name}")
    return found


def _settle(engine: Engine, record: ContainerRecord) -> None:
    """A run that has ended may have left its mounts."""
    if record.state.run is not None:
        from .settle_run import settle_run

        settle_run(engine, record)


def _kept(stack: contextlib.ExitStack, place: Place) -> Place:
    stack.callback(os.close, place.root)
    stack.callback(place.close)
    return place


def _place_of_living(
    stack: contextlib.ExitStack, record: ContainerRecord, init: ProcessIdentity
) -> Place | None:
    """None: it has ended meanwhile. The process is asked after its namespace was opened: then the namespace
    is its own.
    """
    try:
        view = MountView.of_process(init.pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    with view:
        if not is_alive(init):
            return None
        root, mounts = view.open("/"), view.mounts()
    kernel = _devices(root, ("/proc", "/sys"))
    return _kept(stack, _place(record, root, mounts, dict.fromkeys(kernel, _OF_THE_KERNEL)))


def _place(record: ContainerRecord, root: int, mounts: list[str], refuses: dict[int, str]) -> Place:
    hint = _HINT if record.config.read_only else "mount it read-write"
    return Place(
        root,
        f"container {record.name}",
        refuses=refuses,
        hidden=_devices(root, ("/proc", "/sys", "/dev")),
        read_only_hint=hint,
        mounts=mounts,
    )


def _devices(root: int, paths: t.Iterable[str]) -> set[int]:
    """Of what is mounted there."""
    found = {os.fstat(root).st_dev}
    own = set(found)
    for path in paths:
        with contextlib.suppress(OSError):
            fd = open_in_root(root, path, os.O_PATH | os.O_NOFOLLOW)
            found.add(os.fstat(fd).st_dev)
            os.close(fd)
    return found - own


def _place_at_rest(
    stack: contextlib.ExitStack, engine: Engine, record: ContainerRecord, *, writing: bool
) -> Place:
    from .mounts_at_rest import mount_at_rest

    view = stack.enter_context(MountView.copy())
    with doing(f"mount the files of container {record.name}"):
        root, refuses = mount_at_rest(engine, record, view, writing=writing)
    return _kept(stack, _place(record, root, view.mounts(), refuses))
