# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Bring files to a place: what differs is found first, then made, then, for a container that has ended or
begun meanwhile, looked at again.
"""

from __future__ import annotations

import typing as t

from ..copying.compare import Change, Wishes, compare
from ..copying.items import LINK
from ..copying.landing import Landing, Validate, clear_leftovers
from ..errors import Conflict, doing
from ..linux.processes import is_alive

if t.TYPE_CHECKING:
    from ..copying.destinations import Destination
    from ..copying.items import Item, Source
    from ..copying.place import Place
    from .reach_files import Reached


def differences_at(
    source: Source, reached: Reached, destination: Destination, wishes: Wishes
) -> list[Change]:
    """What has to change. Nothing is touched."""
    with doing(f"copy to {reached.place.name}"):
        top, keeps_top = destination
        return list(compare(source, reached.place, top, wishes, keeps_top=keeps_top))


def guard_host(host: Place, dest: str, destination: Destination, first: Item) -> None:
    """Before files of a container come to the host. `dest` is the path that a person has named: links there
    are the host's own. Those below may be from the container.
    """
    if first.kind == LINK and destination.top == dest:
        raise Conflict(
            f"what is copied is a link, and {dest} would be one to wherever the container likes",
            "copy it into a directory, or follow it",
        )
    host.guard(dest)


def deliver(
    source: Source,
    reached: Reached,
    destination: Destination,
    wishes: Wishes,
    changes: t.Sequence[Change],
    validate: Validate | None = None,
) -> list[str]:
    """Make the `changes`; all is on disk when this returns. The paths of backups. If there is nothing to do,
    what a copy has left that was killed is removed all the same.

    Conflict if the container has ended meanwhile: what was written last may be where nobody sees it.
    """
    with doing(f"copy to {reached.place.name}"):
        top, keeps_top = destination
        if not changes:
            clear_leftovers(reached.place, top)
            return []
        landing = Landing(reached.place, source, top, wishes, validate, keeps_top=keeps_top)
        landing.carry_out(changes)
        if reached.init is not None and not is_alive(reached.init):
            raise Conflict("it has ended while files were copied to it", "run the task again")
        return landing.backups
