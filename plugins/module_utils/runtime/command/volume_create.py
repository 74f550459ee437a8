# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle volume create`"""

from __future__ import annotations

import argparse
import os
import typing as t

from .network_create import pairs

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-d", "--driver", default="local", choices=("local",), help="Driver of the volume")
    parser.add_argument("-o", "--opt", action="append", default=[], metavar="map", help="Driver options")
    parser.add_argument("--label", action="append", default=[], metavar="list", help="Set metadata")
    parser.add_argument("--name", metavar="string", help="The same as VOLUME")
    parser.add_argument("volume", nargs="?", metavar="VOLUME-NAME")
    parser.epilog = """
        coracle volume create data
        coracle volume create -o type=nfs -o o=addr=nas.example.com -o device=:/export share
    """


def run(context: Context, options: argparse.Namespace) -> int:
    """As in Docker it is fine if there is one with the same options."""
    from ..container.environment_values import parse_labels
    from ..operations.history import note
    from ..volume.driver_options import parse_driver_options
    from ..volume.records import check_volume_name, ensure_volume, find_volume

    engine = context.engine
    given = options.volume or options.name
    name = check_volume_name(given or os.urandom(32).hex())
    labels = parse_labels(pairs(options.label, "--label"), "--label")
    driver_options = parse_driver_options(pairs(options.opt, "--opt"), "--opt")
    with engine.database.transaction() as transaction:
        known = find_volume(transaction, name)
        ensure_volume(
            transaction,
            engine.paths,
            name,
            labels=labels,
            anonymous=not given,
            driver_options=driver_options,
        )
    if known is None:
        note(engine, "volume", "create", name, driver="local")
    if context.json:
        context.say_json({"name": name})
    else:
        context.say(name)
    return 0
