# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a container at rest will see when it runs, mounted in a namespace of our own.

What only a run has (tmpfs, /proc, /sys, /dev, a directory of the host that is not there yet) is shown as a
small empty file system: what would be written there would be lost, or hidden, so it is refused by its device
number, and for the same reason not read.

Who only looks gets an upper directory in memory over the container's own: mount points that the next start
will make can be made, and nothing on disk changes.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ..container.effective import effective_of
from ..container.spec_mounts import GENERATED_FILES, source_of
from ..content.images import find_image
from ..errors import NotFound
from ..layers.snapshots import lower_directories
from ..linux import syscalls
from ..linux.mount_view import MountView
from ..linux.mounts import bind_mount, mount_overlay
from ..linux.rooted import open_in_root
from ..volume.local_driver import mount_volume
from ..volume.records import volume_data, volumes_of
from .fill_volume import fill_volume, wants_filling
from .mounted_root import mount_container

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..container.storage import VolumeMount
    from ..engine import Engine

_OF_A_RUN = {
    path: f"{path} of the container, which is there only while it runs" for path in ("/dev", "/proc", "/sys")
}
_TMPFS = "a tmpfs, which is empty until the container runs"
_IMAGE = "an image, which is mounted only while the container runs"
_READ_ONLY = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY


def mount_at_rest(
    engine: Engine, record: ContainerRecord, view: MountView, *, writing: bool
) -> tuple[int, dict[int, str]]:
    """A descriptor of the root, and by device number why something in there is of no use."""
    whole = effective_of(record)
    volumes = sorted(whole.volumes, key=lambda mount: mount.target.count("/"))
    if writing:
        root = view.open(view.visit(lambda: mount_container(engine, record)))
        for mount in volumes:
            if wants_filling(engine, mount):  # as at a start: afterwards the volume is not empty
                fill_volume(engine, mount, f"/proc/self/fd/{root}")
    else:
        lower = _layers(engine, record)
        root = view.open(view.visit(lambda: _mount_for_looking(lower, engine.paths.trash)))
    rest = _Rest(engine, record, root, writing)
    view.visit(lambda: rest.mount_all(volumes, sorted(whole.tmpfs, key=lambda path: path.count("/"))))
    return root, rest.refuses


@contextlib.contextmanager
def root_at_rest(engine: Engine, record: ContainerRecord) -> t.Iterator[int]:
    """A descriptor of the root file system alone, without what will be mounted in there, for looking: what is
    written there is forgotten. The container need not have been made.
    """
    lower = _layers(engine, record)
    with MountView.copy() as view:
        root = view.open(view.visit(lambda: _mount_for_looking(lower, engine.paths.trash)))
    try:
        yield root
    finally:
        os.close(root)


def _layers(engine: Engine, record: ContainerRecord) -> list[str]:
    image = find_image(engine.records, record.image_id)
    if image is None:
        raise NotFound(f"image {record.image_name} ({record.image_id[7:19]}) is gone", "pull it again")
    lower = lower_directories(engine.paths, image.directories, image.parents_layer)
    upper = os.path.join(engine.paths.container(record.id), "upper") if record.id else ""
    return [upper, *lower] if upper and os.path.isdir(upper) else lower


def _mount_for_looking(lower: list[str], directory: str) -> str:
    """The path of the root. `directory` is any one; what is in it cannot be seen from here on."""
    owner = os.stat(lower[0])
    syscalls.mount("none", directory, "tmpfs", 0, "size=16m,mode=700")
    upper, work, root = (os.path.join(directory, name) for name in ("upper", "work", "rootfs"))
    for path in (upper, work, root):
        os.mkdir(path, 0o700)
    os.chown(upper, owner.st_uid, owner.st_gid)
    os.chmod(upper, stat.S_IMODE(owner.st_mode))
    mount_overlay(lower, upper, work, root)
    return root


class _Rest:
    """Works inside the view."""

    def __init__(self, engine: Engine, record: ContainerRecord, root: int, writing: bool) -> None:
        self.refuses: dict[int, str] = {}
        self._engine = engine
        self._record = record
        self._root = root
        self._writing = writing

    def mount_all(self, volumes: t.Sequence[VolumeMount], tmpfs: t.Iterable[str]) -> None:
        paths = self._engine.paths
        for volume in volumes_of(self._engine.records.read(), self._record.id):
            if volume.driver_options:
                mount_volume(volume.driver_options, volume_data(paths, volume.name))
        for target, why in _OF_A_RUN.items():
            self._refuse(target, why)
        for target in tmpfs:
            self._refuse(target, _TMPFS)
        for mount in volumes:
            self._mount(mount)
        targets = [mount.target for mount in volumes]
        for target, name in GENERATED_FILES.items():
            source = os.path.join(paths.container(self._record.id), name)
            if os.path.isfile(source) and target not in targets:
                self._bind(source, target, read_only=True)
        if self._record.config.read_only:
            syscalls.mount(None, f"/proc/self/fd/{self._root}", None, _READ_ONLY)

    def _mount(self, mount: VolumeMount) -> None:
        if not self._writing and self._will_be_filled(mount):
            return  # the program will see there what the image has
        source = source_of(mount, self._engine.paths)
        why = ""
        if mount.type == "image":
            why = _IMAGE
        elif not os.path.exists(source):
            why = f"{source} of the target, which does not exist yet"
        elif not mount.subpath:
            self._bind(source, mount.target, read_only=mount.read_only)
        elif not self._bind_part(source, mount):
            why = f"{mount.subpath} of volume {mount.source}, which does not exist yet"
        if why:
            self._refuse(mount.target, why)

    def _will_be_filled(self, mount: VolumeMount) -> bool:
        if not wants_filling(self._engine, mount) or os.listdir(source_of(mount, self._engine.paths)):
            return False
        try:
            fd = open_in_root(self._root, mount.target, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            return bool(os.listdir(fd))
        finally:
            os.close(fd)

    def _bind_part(self, source: str, mount: VolumeMount) -> bool:
        whole = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            part = open_in_root(whole, mount.subpath, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            return False
        finally:
            os.close(whole)
        try:
            self._bind(f"/proc/self/fd/{part}", mount.target, read_only=mount.read_only)
        finally:
            os.close(part)
        return True

    def _bind(self, source: str, target: str, *, read_only: bool) -> None:
        with self._target(target, make=os.path.isdir(source)) as place:
            if place is None or os.path.isdir(place) != os.path.isdir(source):
                return  # a file for which the start makes the place, or says why not
            bind_mount(source, place, recursive=True)
        if read_only:
            with self._target(target) as place:
                syscalls.mount(None, place or target, None, _READ_ONLY)

    def _refuse(self, target: str, why: str) -> None:
        with self._target(target, make=True) as place:
            if place is None or not os.path.isdir(place):
                return
            syscalls.mount("none", place, "tmpfs", 0, "size=4k,mode=555")
        with self._target(target) as place:
            self.refuses[os.stat(place or target).st_dev] = why

    @contextlib.contextmanager
    def _target(self, target: str, *, make: bool = False) -> t.Iterator[str | None]:
        """A path that leads to the target, links followed inside; None where there is nothing."""
        fd = _open_target(self._root, target, make)
        if fd is None:
            yield None
            return
        try:
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)


def _open_target(root: int, target: str, make: bool) -> int | None:
    """With `make`, a missing directory is made, as the runtime does."""
    try:
        return open_in_root(root, target, os.O_PATH)
    except FileNotFoundError:
        parent = os.path.dirname(target)
        above = _open_target(root, parent, True) if make and parent != target else None
        if above is None:
            return None
        try:
            with contextlib.suppress(OSError):  # a read-only mount has no new places
                os.mkdir(os.path.basename(target), 0o755, dir_fd=above)
        finally:
            os.close(above)
        return _open_target(root, target, False)
    except OSError:
        return None
