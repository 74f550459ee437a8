# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle port`: which ports of the host lead into a container."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import NotFound
from .lookup import find_container

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("container", metavar="CONTAINER")
    parser.add_argument("port", nargs="?", metavar="PRIVATE_PORT[/PROTO]")
    parser.epilog = "coracle port web 80/tcp      0.0.0.0:8080, and [::]:8080"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..container.status import observe
    from ..network.records import open_ports

    record = find_container(context, options.container)
    running = observe(context.engine, record).status in ("running", "paused", "restarting")
    ports = sorted(
        open_ports(context.engine.records.read(), record.id) if running else [],
        key=lambda port: (port.container_port, port.protocol, ":" in port.host_ip, port.host_port),
    )
    wanted = options.port and (options.port if "/" in options.port else f"{options.port}/tcp")
    found = []
    for port in ports:
        inside = f"{port.container_port}/{port.protocol}"
        address = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
        if wanted in (None, inside):
            found.append({"ContainerPort": inside, "HostAddress": f"{address}:{port.host_port}"})
    if wanted and not found:
        raise NotFound(f"No public port '{wanted}' published for {options.container}")
    if context.json:
        context.say_json(found)
    for each in [] if context.json else found:
        context.say(each["HostAddress"] if wanted else " -> ".join(each.values()))
    return 0
