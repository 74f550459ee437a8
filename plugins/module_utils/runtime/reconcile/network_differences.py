# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What differs between a network and the one that is wanted, and what the change needs.

Links, subnets and gateways are those of interfaces: another one needs a new bridge. The rest changes live.
"""

from __future__ import annotations

import typing as t

from ..network.model import Network, Pool, Route
from ..network.options import driver_options, has_other_places
from .container_fields import LIST, MAP, SET, VALUE, Field
from .differences import LIVE, RECREATE, Difference
from .field_differences import difference_of

_LIVE_DRIVER_OPTIONS = ("isolate",)

_Read = t.Callable[[Network], t.Any]
_FIELDS: tuple[tuple[Field, _Read], ...] = (
    (Field("driver", "", VALUE), lambda network: network.driver),
    (Field("driver_options", "", MAP), driver_options),
    (Field("ipam_config", "", LIST), lambda network: [pool_text(pool) for pool in network.pools]),
    (Field("internal", "", VALUE), lambda network: network.internal),
    (Field("dns", "", VALUE, change=LIVE), lambda network: network.dns),
    (Field("dns_servers", "", LIST, change=LIVE), lambda network: list(network.dns_servers)),
    (Field("routes", "", SET, change=LIVE), lambda network: [route_text(route) for route in network.routes]),
    (Field("open_host_firewall", "", VALUE, change=LIVE), lambda network: network.open_host_firewall),
    (Field("labels", "", MAP, change=LIVE), lambda network: dict(network.labels)),
)


def network_differences(before: Network, after: Network) -> list[Difference]:
    found = []
    for field, read in _FIELDS:
        then, now = read(before), read(after)
        if then != now:
            difference = difference_of(field, then, now)
            found.append(difference._replace(how=_how(difference, before, after)))
    return found


def _how(difference: Difference, before: Network, after: Network) -> str:
    if difference.field == "driver_options":
        named = {**difference.before, **difference.after}
        return LIVE if all(name in _LIVE_DRIVER_OPTIONS for name in named) else RECREATE
    if difference.field == "ipam_config":
        return RECREATE if has_other_places(before, after) else LIVE
    return difference.how


def pool_text(pool: Pool) -> str:
    """`10.0.5.0/24, gateway 10.0.5.1, from 10.0.5.128/25, without 10.0.5.130 (printer)`"""
    parts = [pool.subnet]
    if pool.gateway:
        parts.append(f"gateway {pool.gateway}")
    if pool.range:
        parts.append(f"from {pool.range}")
    if pool.reserved:
        reserved = ", ".join(f"{address} ({name})" for name, address in pool.reserved.items())
        parts.append(f"without {reserved}")
    return ", ".join(parts)


def route_text(route: Route) -> str:
    return f"{route.destination} via {route.gateway}" + (f" metric {route.metric}" if route.metric else "")
