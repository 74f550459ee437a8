# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The results of `network` and `network_info`: networks in the shape of `docker network inspect`."""

from __future__ import annotations

import typing as t

from ..runtime.engine import Engine
from ..runtime.network.inspect import inspect_network
from ..runtime.network.model import Network
from ..runtime.network.option_values import check_network_name
from ..runtime.network.records import container_name, endpoints_in, find_network, list_networks
from ..runtime.reconcile.network import PlannedNetwork
from .results import result_of


def network_result(
    engine: Engine, planned: PlannedNetwork, facts: t.Mapping[str, t.Any], check_mode: bool
) -> dict[str, t.Any]:
    """`network` is what is there or, in check mode, what would be, with the containers that are on it now."""
    after = planned.after
    result = result_of(
        planned.plan,
        before={"exists": planned.before is not None},
        after={"exists": after is not None},
        **{
            **facts,
            "warnings": [*planned.warnings, *facts.get("warnings", ()), *_host_firewall(engine, after)],
        },
    )
    if after is not None:
        there = None if check_mode else find_network(engine.records.read(), after.name)
        result["network"] = _inspected(engine, there or after)
    return result


def info_result(engine: Engine, names: t.Sequence[str] | None) -> dict[str, t.Any]:
    """The networks asked for, each once, and the names that none has; without names, all networks."""
    rows = engine.records.read()
    if names is None:
        records, missing = list_networks(rows), []
    else:
        found = {name: find_network(rows, check_network_name(name)) for name in names}
        records = list({record.id: record for record in found.values() if record}.values())
        missing = [name for name, record in found.items() if record is None]
    networks = [_inspected(engine, record) for record in records]
    return {
        "exists": not missing,
        "networks": networks,
        "network": networks[0] if names and len(names) == 1 and networks else None,
        "missing": missing,
    }


def _host_firewall(engine: Engine, network: Network | None) -> list[str]:
    from ..runtime.operations.look_at_host_firewall import host_firewall_warnings

    return host_firewall_warnings(engine, [network.name] if network is not None else [])


def _inspected(engine: Engine, network: Network) -> dict[str, t.Any]:
    rows = engine.records.read()
    endpoints = endpoints_in(rows, network.name)
    names = {endpoint.container_id: container_name(rows, endpoint.container_id) for endpoint in endpoints}
    return inspect_network(network, endpoints, names)
