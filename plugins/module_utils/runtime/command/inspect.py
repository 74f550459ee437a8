# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle inspect`: everything about containers, images, networks and volumes.

`coracle image inspect` and its sisters are the same for one kind.
"""

from __future__ import annotations

import argparse
import typing as t

from ..errors import NotFound
from . import lookup

if t.TYPE_CHECKING:
    from .context import Context

Document = dict[str, t.Any]


def declare(parser: argparse.ArgumentParser) -> None:
    kind = parser.prog.split()[1]
    parser.add_argument("-f", "--format", metavar="string", help='"json", or a Go template')
    if kind in _KINDS:
        parser.set_defaults(type=kind)
    else:
        parser.add_argument("--type", choices=sorted(_KINDS), metavar="string", help="Look only among these")
    if kind in ("container", "inspect"):
        parser.add_argument(
            "-s", "--size", action="store_true", help="Display total file sizes of containers"
        )
    parser.add_argument("names", nargs="+", metavar="NAME" if kind == "inspect" else kind.upper())
    parser.epilog = {
        "inspect": "coracle inspect -f '{{.State.Status}} {{.State.ExitCode}}' web",
        "container": "coracle container inspect -f '{{json .NetworkSettings.Networks}}' web",
        "image": "coracle image inspect -f '{{.Config.Cmd}}' nginx",
        "network": "coracle network inspect coracle",
        "volume": "coracle volume inspect -f '{{.Mountpoint}}' data",
    }[kind]


def run(context: Context, options: argparse.Namespace) -> int:
    kinds = [options.type] if options.type else list(_KINDS)
    found, failed = [], False
    for name in options.names:
        try:
            found.append(_document(context, name, kinds, getattr(options, "size", False)))
        except NotFound as error:
            failed = True
            context.complain(str(error))
    if options.format in (None, "json") or context.json:
        context.say_json(found)
    else:
        from .template import parse_template

        template = parse_template(options.format.replace("\\t", "\t").replace("\\n", "\n"))
        for document in found:
            context.say(template.render(document, strict=True))
    return int(failed)


def _document(context: Context, name: str, kinds: t.Sequence[str], size: bool) -> Document:
    """Of the first kind that has the name."""
    for kind in kinds:
        try:
            document = _KINDS[kind](context, name)
        except NotFound:
            if len(kinds) == 1:
                raise
            continue
        if size and kind == "container":
            from .ps_row import sizes_of

            own, whole = sizes_of(context, lookup.find_container(context, name))
            document = {**document, "SizeRw": own, "SizeRootFs": whole}
        return document
    raise NotFound(f"No such object: {name}")


def _container(context: Context, name: str) -> Document:
    from ..container.status import observe
    from ..operations.inspect_container import inspect_container

    record = lookup.find_container(context, name)
    return inspect_container(context.engine, record, observe(context.engine, record))


def _image(context: Context, name: str) -> Document:
    from ..content.images import names_of
    from ..content.inspect import inspect_image

    record = lookup.find_image(context, name)
    return inspect_image(record, names_of(context.engine.records.read(), record.id))


def _network(context: Context, name: str) -> Document:
    from ..network.inspect import inspect_network
    from ..network.records import container_name, endpoints_in

    network = lookup.find_network(context, name)
    rows = context.engine.records.read()
    endpoints = endpoints_in(rows, network.name)
    names = {endpoint.container_id: container_name(rows, endpoint.container_id) for endpoint in endpoints}
    return inspect_network(network, endpoints, names)


def _volume(context: Context, name: str) -> Document:
    from ..volume.inspect import inspect_volume
    from ..volume.records import containers_using

    record = lookup.find_volume(context, name)
    users = containers_using(context.engine.records.read(), record.name)
    return inspect_volume(context.engine.paths, record, users)


_KINDS: dict[str, t.Callable[[Context, str], Document]] = {
    "container": _container,
    "image": _image,
    "network": _network,
    "volume": _volume,
}
