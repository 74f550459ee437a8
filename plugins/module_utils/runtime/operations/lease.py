# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a task is about to need, between its steps: an image that was pulled and has no container yet, a
container that was created and is yet to be started. Pruning leaves alone what somebody holds.

A lease is the lock of a name, which the object need not have yet; tasks share it, pruning has it alone and
waits for nobody.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from ..content.images import ImageName, ImageRecord, full_id
from ..errors import TimedOut
from ..linux.locks import lock
from ..oci.reference import is_image_id, parse_reference

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..engine import Engine


def leased_container(
    engine: Engine, names: t.Iterable[str], config: ContainerConfig
) -> t.ContextManager[None]:
    """The lease of a task that makes or changes the container with one of these names."""
    mounted = [mount["source"] for mount in config.mounts or () if mount["type"] == "image"]
    own = [config.image] if config.image else []
    return leased(engine, images=[*own, *mounted], containers=names)


@contextlib.contextmanager
def leased(
    engine: Engine, *, images: t.Iterable[str] = (), containers: t.Iterable[str] = ()
) -> t.Iterator[None]:
    """Keep images (names or ids) and containers (names or ids) from being pruned while the block runs.

    Taken before anybody looks whether they are there. Where there is no engine yet there is nothing to prune,
    and nothing is made.
    """
    with contextlib.ExitStack() as held:
        for name in _lock_names(images, containers) if engine.exists else ():
            held.enter_context(lock(engine.paths, name, shared=True))
        yield


@contextlib.contextmanager
def unleased(
    engine: Engine, *, images: t.Iterable[str] = (), containers: t.Iterable[str] = ()
) -> t.Iterator[bool]:
    """True in the block if nobody holds any of them, and nobody will meanwhile; else False."""
    with contextlib.ExitStack() as held:
        try:
            for name in _lock_names(images, containers):
                held.enter_context(lock(engine.paths, name, timeout=0, fleeting=True))
        except TimedOut:
            yield False
        else:
            yield True


def names_of_lease(record: ImageRecord, names: t.Iterable[ImageName]) -> list[str]:
    """All names by which somebody may hold an image that is here."""
    found = [record.id]
    for name in names:
        digests = filter(None, (name.manifest_digest, record.manifest_digest))
        found += [name.name, *(f"{name.repository_name}@{digest}" for digest in digests)]
    return found


def _normal(image: str) -> str:
    """With a digest the tag does not matter."""
    if is_image_id(image):
        return full_id(image)
    reference = parse_reference(image)
    if reference.digest:
        return f"{reference.repository_name}@{reference.digest}"
    return reference.canonical


def _lock_names(images: t.Iterable[str], containers: t.Iterable[str]) -> list[str]:
    """In the order of locks."""
    things = {f"image {_normal(name)}" for name in images}
    things |= {f"container {name}" for name in containers}
    return sorted(f"lease-{hashlib.sha256(thing.encode()).hexdigest()[:32]}" for thing in things)
