# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the mounts of a container need on the host, before its runtime makes them, and until its run is over.

    volumes/<name>/_data              a volume with driver options is mounted there while any container runs
                                      with it
    containers/<id>/mounts/<number>   for this run: an image, read-only, or a part of a volume or image, found
                                      by descriptor, so that no link in there leads to the host

What a crash leaves: mounts, which the next start or the end of the run finds by their places. A reboot takes
them.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ..container.records import find_container_in
from ..errors import InvalidInput, NotFound, StateError, doing
from ..linux.files import make_private_directory
from ..linux.mounts import bind_mount, mount_overlay, unmount_below
from ..linux.processes import boot_id
from ..linux.rooted import open_in_root
from ..linux.trees import remove_tree
from ..volume.records import VolumeRecord, user_ids, volume_data, volumes_of
from .locked_volume import locked_volume

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..container.storage import VolumeMount
    from ..engine import Engine

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def attach_volumes(
    engine: Engine, record: ContainerRecord, mounts: t.Sequence[VolumeMount], root: str
) -> dict[str, str]:
    """Paths on the host by target, where they do not follow from the mount. `root`: the container's, mounted.

    The record says that there is a run, so nobody else unmounts what is mounted here.
    """
    from .fill_volume import fill_volume, wants_filling

    detach_parts(engine, record)
    for volume in volumes_of(engine.database.read(), record.id):
        if volume.driver_options:
            _mount(engine, volume)
    for mount in mounts:
        if wants_filling(engine, mount):
            fill_volume(engine, mount, root)
    for mount in mounts:
        if "z" in mount.options or "Z" in mount.options:
            _relabel(engine, record, mount)
    places = {}
    for number, mount in enumerate(mounts):
        if mount.type == "image" or mount.subpath:
            places[mount.target] = _attach_part(engine, record, mount, number)
    return places


def detach_volumes(engine: Engine, record: ContainerRecord) -> None:
    """The run of the container is over, and the record says so."""
    detach_parts(engine, record)
    for volume in volumes_of(engine.database.read(), record.id):
        if volume.driver_options:
            _unmount_unless_used(engine, volume, record.id)


def detach_parts(engine: Engine, record: ContainerRecord) -> None:
    directory = _parts(engine, record)
    if os.path.isdir(directory):
        unmount_below(directory)
        remove_tree(directory)


def _mount(engine: Engine, volume: VolumeRecord) -> None:
    from ..volume.local_driver import mount_volume

    with doing(f"mount volume {volume.name}"), locked_volume(engine, volume.name):
        mount_volume(volume.driver_options, volume_data(engine.paths, volume.name))


def _unmount_unless_used(engine: Engine, volume: VolumeRecord, container_id: str) -> None:
    from ..volume.local_driver import unmount_volume

    with doing(f"unmount volume {volume.name}"), locked_volume(engine, volume.name):
        users = user_ids(engine.database.read(), volume.name)
        if not any(_has_a_run(engine, user) for user in users if user != container_id):
            unmount_volume(volume_data(engine.paths, volume.name))


def _has_a_run(engine: Engine, container_id: str) -> bool:
    """Since the host was booted. A record that cannot be read may have one."""
    try:
        found = find_container_in(engine.database.read(), container_id)
    except StateError:
        return True
    return found is not None and found.state.run is not None and found.state.run.boot_id == boot_id()


def _relabel(engine: Engine, record: ContainerRecord, mount: VolumeMount) -> None:
    """`Z`: for this container and those that replace it."""
    from ..linux import selinux

    if not selinux.is_enforcing():
        return
    owner = (record.ancestor or record.id) if "Z" in mount.options else ""
    source = volume_data(engine.paths, mount.source) if mount.type == "volume" else mount.source
    with doing(f"label {mount.source} for SELinux"):
        selinux.relabel(source, selinux.container_label(owner))


# Images, and parts


def _parts(engine: Engine, record: ContainerRecord) -> str:
    return os.path.join(engine.paths.container(record.id), "mounts")


def _attach_part(engine: Engine, record: ContainerRecord, mount: VolumeMount, number: int) -> str:
    directory = _parts(engine, record)
    make_private_directory(directory)
    place = os.path.join(directory, str(number))
    with doing(f"mount {mount.type} {mount.source}"):
        if mount.type == "volume":
            _bind_part(volume_data(engine.paths, mount.source), mount.subpath, place)
        elif mount.subpath:
            whole = os.path.join(directory, f"{number}.image")
            _mount_image(engine, mount, directory, whole)
            _bind_part(whole, mount.subpath, place)
        else:
            _mount_image(engine, mount, directory, place)
    return place


def _mount_image(engine: Engine, mount: VolumeMount, directory: str, place: str) -> None:
    from ..content.images import find_image
    from ..layers.snapshots import lower_directories

    image = find_image(engine.database, mount.image_id)
    if image is None:
        raise NotFound("the image is gone", "pull it again")
    os.mkdir(place, 0o700)
    empty = os.path.join(directory, "empty")  # without an upper directory, the kernel wants two to merge
    make_private_directory(empty)
    lower = lower_directories(engine.paths, image.directories, image.parents_layer)
    mount_overlay([*lower, empty], None, None, place)


def _bind_part(whole: str, subpath: str, place: str) -> None:
    """Mount what `subpath` leads to, links in it followed inside `whole` only, at `place`."""
    with contextlib.ExitStack() as stack:
        root = os.open(whole, _DIRECTORY)
        stack.callback(os.close, root)
        try:
            part = open_in_root(root, subpath, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"there is no {subpath} in it", "make it first, or leave subpath out") from None
        stack.callback(os.close, part)
        kind = stat.S_IFMT(os.fstat(part).st_mode)
        if kind == stat.S_IFDIR:
            os.mkdir(place, 0o700)
        elif kind == stat.S_IFREG:
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        else:
            raise InvalidInput(f"{subpath} in it is neither a directory nor a file")
        bind_mount(f"/proc/self/fd/{part}", place)
