# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle update`: what of a container can be changed while it runs."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import InvalidInput
from .container_options import add_options, given_options
from .each import for_each
from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    add_options(parser, only_live=True)
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    parser.epilog = """
        coracle update --memory 512m --cpus 2 web
        coracle update --restart unless-stopped $(coracle ps -q)
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..reconcile.container import plan_container
    from ..reconcile.container_fields import described
    from ..reconcile.container_request import Request
    from ..reconcile.container_sight import Sight

    given = given_options(options)
    if not given:
        raise InvalidInput("you must provide one or more flags when using this command")
    asked = described(given)
    fields = frozenset([*given, *(["restart_retries"] if "restart_policy" in given else [])])

    def update(name: str) -> None:
        record = find_container(context, name)
        request = Request(record.name, state="present", given=fields)
        for warning in plan_container(Sight(context.engine), asked, request).plan.execute(context.engine)[
            "warnings"
        ]:
            context.warn(warning)

    return for_each(context, options.containers, update)
