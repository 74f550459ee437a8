# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle top`: the processes of a container, by their PIDs on the host."""

from __future__ import annotations

import argparse
import typing as t

from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context

_NARROWEST = 20  # as Docker has it


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("container", metavar="CONTAINER")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="[ps OPTIONS]")
    parser.epilog = """
        coracle top web                             as ps -ef
        coracle top web aux
        coracle top web -o pid,nspid,rss,args       nspid is the PID in the container
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..container.processes import list_processes, parse_columns
    from ..container.status import group_of, observe
    from ..errors import Conflict
    from ..linux.cgroups import processes
    from .table import aligned

    columns = parse_columns(options.words, "top")
    record = find_container(context, options.container)
    if not observe(context.engine, record).alive:
        raise Conflict(f"Container {record.id} is not running")
    found = list_processes(processes(group_of(context.engine.paths, record)), columns)
    if context.json:
        context.say_json(found)
    else:
        context.out.write(aligned([found["Titles"], *found["Processes"]], _NARROWEST))
    return 0
