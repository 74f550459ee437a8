# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle version`: of the engine, and of what it drives."""

from __future__ import annotations

import argparse
import platform
import typing as t

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--format", metavar="string", help='"json", or a Go template')
    parser.epilog = """
        coracle version -f '{{.Server.Version}}'
    """


def run(context: Context, options: argparse.Namespace) -> int:
    document = _document(context)
    if context.json or options.format == "json":
        context.say_json(document)
    elif options.format:
        from .template import parse_template

        context.say(parse_template(options.format).render(document))
    else:
        context.out.write(_text(document["Server"]))
    return 0


def _document(context: Context) -> dict[str, t.Any]:
    """There is no daemon: client and server are one. Both are there because templates ask for them."""
    from ..engine import VERSION
    from ..operations.list_components import list_components

    components = list_components(context.engine)
    own = {"Version": VERSION, "Os": "linux", "Arch": platform.machine()}
    server = {
        **own,
        "KernelVersion": platform.release(),
        "Components": [
            {"Name": name, "Version": part.version} for name, part in components.items() if part.path
        ],
    }
    return {"Client": own, "Server": server}


def _text(server: dict[str, t.Any]) -> str:
    facts = [
        ("Version", server["Version"]),
        ("OS/Arch", f"{server['Os']}/{server['Arch']}"),
        ("Kernel", server["KernelVersion"]),
        ("Python", platform.python_version()),
        *((part["Name"], part["Version"] or "unknown") for part in server["Components"]),
    ]
    return "Coracle:\n" + "".join(f" {name + ':':<14} {value}\n" for name, value in facts)
