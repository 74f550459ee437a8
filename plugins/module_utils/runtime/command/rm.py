# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle rm`: remove containers that have ended; with -f running ones too."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import Conflict, NotFound
from .each import for_each
from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context

_ADVICE = {
    "running": "You cannot remove a running container {id}. Stop the container before attempting removal or "
    "force remove",
    "restarting": "You cannot remove a restarting container {id}. Stop the container before attempting "
    "removal or force remove",
    "paused": "You cannot remove a paused container {id}. Unpause and then stop the container before "
    "attempting removal or force remove",
}


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="Remove a running container too (SIGKILL)")
    parser.add_argument(
        "-v", "--volumes", action="store_true", help="Remove the container's anonymous volumes as well"
    )
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    parser.epilog = """
        coracle rm -fv web                                   whatever it does, with its anonymous volumes
        coracle rm $(coracle ps -aq -f status=exited)        all that have ended
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..container.status import observe
    from ..operations.remove_container import remove_container

    def remove(name: str) -> str | None:
        try:
            record = find_container(context, name)
        except NotFound as error:
            if not options.force:
                raise
            context.complain(str(error))  # what is not there need not be removed
            return ""
        status = observe(context.engine, record).status
        if not options.force and status in _ADVICE:
            raise Conflict(_ADVICE[status].format(id=record.id))
        remove_container(context.engine, record.id, force=options.force, volumes=options.volumes)
        return None

    return for_each(context, options.containers, remove)
