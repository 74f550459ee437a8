# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""More names for an image."""

from __future__ import annotations

import typing as t

from ..content.images import ImageName, save_name, select_image
from ..errors import InvalidInput, NotFound, doing
from ..oci.reference import Reference
from .history import note

if t.TYPE_CHECKING:
    from ..engine import Engine


def tag_image(engine: Engine, source: Reference | str, name: Reference) -> None:
    """Make the tag `name` lead to the image that `source`, a name or an image id, leads to.

    The name has no digest: no registry has confirmed it.
    """
    if name.digest:
        raise InvalidInput(f"{name} cannot be given to an image", "give a tag: a digest is not chosen")
    with doing(f"tag image {source} as {name.familiar}"), engine.database.transaction() as transaction:
        record = select_image(transaction, source)
        if record is None:
            raise NotFound("the image is gone")
        save_name(transaction, ImageName(name.canonical, record.id, None))
    note(engine, "image", "tag", record.id, name=name.familiar)
