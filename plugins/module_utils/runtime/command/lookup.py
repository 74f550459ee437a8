# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a person means by a name: here, and only here, an unambiguous beginning of an id will do.

containers   name, `/name`, id, beginning of the id
images       name (`:latest` if there is no tag), id, beginning of the id
networks     name, id, beginning of the id
volumes      name
"""

from __future__ import annotations

import typing as t

from ..errors import Conflict, InvalidInput, NotFound

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..content.images import ImageRecord
    from ..network.model import Network
    from ..volume.records import VolumeRecord
    from .context import Context

_DIGITS = frozenset("0123456789abcdef")


def find_container(context: Context, text: str) -> ContainerRecord:
    """NotFound and Conflict in Docker's words."""
    from ..container.records import find_remains, is_hidden

    database = context.engine.records
    name = text[1:] if text.startswith("/") else text
    found = find_remains(database, name)
    if found is None:
        container_id = _only_id(context, "containers", text)
        found = find_remains(database, container_id) if container_id else None
    if found is None or is_hidden(found.name):
        raise NotFound(f"No such container: {text}")
    return found


def find_image(context: Context, text: str) -> ImageRecord:
    """The image that a name or an id leads to."""
    from ..content.images import full_id, select_image
    from ..oci.reference import is_image_id, parse_reference

    rows = context.engine.records.read()
    found = None
    if is_image_id(text):
        found = select_image(rows, full_id(text))
    else:
        try:
            found = select_image(rows, parse_reference(text))
        except InvalidInput:
            found = None  # perhaps the beginning of an id: `sha256:12ab`
    if found is None:
        image_id = _only_id(context, "images", text.removeprefix("sha256:"), "sha256:")
        found = select_image(rows, image_id) if image_id else None
    if found is None:
        raise NotFound(f"No such image: {_with_tag(text)}")
    return found


def find_network(context: Context, text: str) -> Network:
    from ..network.records import find_network as find

    rows = context.engine.records.read()
    found = find(rows, text)
    if found is None:
        network_id = _only_id(context, "networks", text)
        found = find(rows, network_id) if network_id else None
    if found is None:
        raise NotFound(f"network {text} not found")
    return found


def find_volume(context: Context, text: str) -> VolumeRecord:
    from ..volume.records import find_volume as find

    found = find(context.engine.records.read(), text)
    if found is None:
        raise NotFound(f"get {text}: no such volume")
    return found


def _only_id(context: Context, table: str, beginning: str, before: str = "") -> str:
    """The only id in a table that begins so; empty if there is none. Conflict if there are several."""
    if not beginning or not _DIGITS.issuperset(beginning):
        return ""
    view = context.engine.records.read()
    first, last = f"{before}{beginning}", f"{before}{beginning}g"
    rows = view.all(f"SELECT id FROM {table} WHERE id >= ? AND id < ? LIMIT 2", (first, last))
    if len(rows) > 1:
        raise Conflict(f"Multiple IDs found with provided prefix: {beginning}")
    return str(rows[0][0]) if rows else ""


def _with_tag(text: str) -> str:
    """As Docker names what it has not found."""
    from ..oci.reference import parse_reference

    try:
        return parse_reference(text).familiar
    except InvalidInput:
        return text
