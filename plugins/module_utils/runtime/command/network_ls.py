# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network ls`: the networks of this engine."""

from __future__ import annotations

import argparse
import typing as t

from .filters import Filters, add_filter, labels_match, parse_filters
from .table import Column, add_format, print_rows

if t.TYPE_CHECKING:
    from ..network.model import Network
    from .context import Context

COLUMNS = (
    Column("ID", "NETWORK ID"),
    Column("Name", "NAME"),
    Column("Driver", "DRIVER"),
    Column("Scope", "SCOPE"),
    Column("IPv4", "IPV4"),
    Column("IPv6", "IPV6"),
    Column("Internal", "INTERNAL"),
    Column("Labels", "LABELS"),
    Column("CreatedAt", "CREATED AT"),
)
KEYS = ("dangling", "driver", "id", "label", "name", "scope")


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="Only display network IDs")
    parser.add_argument("--no-trunc", action="store_true", help="Do not truncate the output")
    add_filter(parser, KEYS, "driver=bridge")
    add_format(parser, COLUMNS)
    parser.epilog = "coracle network ls --filter dangling=true"


def run(context: Context, options: argparse.Namespace) -> int:
    from ..network.records import list_networks

    filters = parse_filters(options.filter, KEYS)
    networks = list_networks(context.engine.records.read())
    rows = [_row(each, options.no_trunc) for each in networks if _is_wanted(context, each, filters)]
    shown = ("ID", "Name", "Driver", "Scope")
    quiet = "ID" if options.quiet else None
    print_rows(context, COLUMNS, rows, shown=shown, form=options.format, quiet=quiet)
    return 0


def _is_wanted(context: Context, network: Network, filters: Filters) -> bool:
    from ..network.records import endpoints_in

    facts = {"driver": [network.driver], "scope": ["local"], "name": [network.name], "id": [network.id]}
    for key, values in filters.items():
        if key == "label":
            fits = labels_match(network.labels, values)
        elif key == "dangling":
            is_used = bool(endpoints_in(context.engine.records.read(), network.name))
            fits = (values[-1].lower() in ("true", "1")) != is_used
        elif key in ("name", "id"):
            fits = any(value in facts[key][0] for value in values)
        else:
            fits = bool(set(facts[key]) & set(values))
        if not fits:
            return False
    return True


def _row(network: Network, whole: bool) -> dict[str, t.Any]:
    from .units import local_time

    versions = {pool.version for pool in network.pools}
    return {
        "ID": network.id if whole else network.id[:12],
        "Name": network.name,
        "Driver": network.driver,
        "Scope": "local",
        "IPv4": str(4 in versions).lower(),
        "IPv6": str(6 in versions).lower(),
        "Internal": str(network.internal).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(network.labels.items())),
        "CreatedAt": local_time(network.created),
    }
