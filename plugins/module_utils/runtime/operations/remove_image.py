# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Removing a name, and with the last name the image.

A record is never deleted while a container refers to it: the check and the deletion are one transaction, and
so are the check and the insertion in create_container. So layers in use never become garbage
(content/garbage.py).
"""

from __future__ import annotations

import typing as t

from ..content.images import (
    delete_image,
    delete_name,
    full_id,
    names_for,
    names_of,
    users_of,
)
from ..errors import Conflict, StateError, doing
from ..oci.reference import Reference, familiar_name
from .collect_garbage import WAIT, collect_garbage
from .history import note

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..state.database import Reader


class Removal(t.NamedTuple):
    """What removing would do: the `names` that go, and the image (its id), unless it stays."""

    names: tuple[str, ...]
    image_id: str | None


class Removed(t.NamedTuple):
    """What went, and the bytes that this freed; `warning` says why it was not all that could be."""

    names: tuple[str, ...]
    image_id: str | None
    freed: int = 0
    warning: str = ""


def plan_removal(rows: Reader, wanted: Reference | str, force: bool = False) -> Removal:
    """What has to go so that `wanted`, a reference or an image id, is gone. Nothing, if it is not there.

    Conflict when containers use the image and this is its last name, or when it is asked for by id and has
    names in several repositories. With `force` all names go, and an image that containers use stays without a
    name.
    """
    image_id, going = _meant(rows, wanted)
    if image_id is None:
        return Removal((), None)
    names = [name.name for name in names_of(rows, image_id)]
    users = list(users_of(rows, image_id).values())
    if set(names) - set(going):
        return Removal(tuple(going), None)
    if users and not force:
        raise Conflict(
            f"image {wanted} is used by {_listed('container', users)}",
            "remove the containers first, or only its names with force: true",
            containers=users,
        )
    repositories = {name.repository_name for name in names_of(rows, image_id)}
    if isinstance(wanted, str) and len(repositories) > 1 and not force:
        raise Conflict(
            f"image {wanted} has names in several repositories: {', '.join(names)}",
            "remove it by these names, or all at once with force: true",
            names=names,
        )
    return Removal(tuple(going), None if users else image_id)


def remove_image(engine: Engine, wanted: Reference | str, force: bool = False, wait: float = WAIT) -> Removed:
    """Do what plan_removal says, and collect what is not needed any more (`wait`: see collect_garbage)."""
    with doing(f"remove image {wanted}"):
        with engine.database.transaction() as transaction:
            removal = plan_removal(transaction, wanted, force)
            for name in removal.names:
                delete_name(transaction, name)
            if removal.image_id:
                delete_image(transaction, removal.image_id)
        for name in removal.names:
            note(engine, "image", "untag", name, name=familiar_name(name))
        if removal.image_id:
            note(engine, "image", "delete", removal.image_id)
        if removal.image_id is None:
            return Removed(*removal)
        try:
            freed = collect_garbage(engine, wait)
        except StateError as error:  # another image's record: this one is gone all the same
            return Removed(*removal, warning=f"space was not freed: {error}")
    if freed is None:
        return Removed(*removal, warning="space will be freed when the pulls under way have ended")
    return Removed(*removal, freed=freed)


def _meant(rows: Reader, wanted: Reference | str) -> tuple[str | None, list[str]]:
    """(image id, names that go). The record is not read: a damaged one can be removed as well."""
    if isinstance(wanted, str):
        row = rows.one("SELECT id FROM images WHERE id = ?", (full_id(wanted),))
        return (row[0], [name.name for name in names_of(rows, row[0])]) if row else (None, [])
    names = names_for(rows, wanted)
    return (names[0].image_id, [name.name for name in names]) if names else (None, [])


def _listed(kind: str, names: t.Sequence[str]) -> str:
    """`container web`, `containers api and web`"""
    if len(names) == 1:
        return f"{kind} {names[0]}"
    return f"{kind}s {', '.join(names[:-1])} and {names[-1]}"
