# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Forget an image that nobody needs. What it is made of is collected afterwards, for all images at once."""

from __future__ import annotations

import typing as t

from ..content.images import ImageRecord, delete_image, names_of, users_of
from ..errors import Conflict, NotFound, doing
from .lease import names_of_lease, unleased

if t.TYPE_CHECKING:
    from ..engine import Engine


def prune_image(engine: Engine, record: ImageRecord, names: t.Collection[str]) -> None:
    """Conflict if a container or a task needs it by now, or if it has got a name that is not in `names`;
    NotFound if somebody has removed it.
    """
    with doing(f"prune image {record.id[:19]}"):
        there = names_of(engine.records.read(), record.id)
        with (
            unleased(engine, images=names_of_lease(record, there)) as free,
            engine.database.transaction() as transaction,
        ):
            if not free:
                raise Conflict("a task is working with it")
            if transaction.one("SELECT 1 FROM images WHERE id = ?", (record.id,)) is None:
                raise NotFound("it is gone")
            users = list(users_of(transaction, record.id).values())
            if users:
                raise Conflict(f"it is used by {', '.join(users)}", containers=users)
            new = {name.name for name in names_of(transaction, record.id)} - set(names)
            if new:
                raise Conflict(f"it has been named {', '.join(sorted(new))}")
            delete_image(transaction, record.id)
