# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What `ps --filter` asks of a container. Source: docs.docker.com/reference/cli/docker/container/ls."""

from __future__ import annotations

import typing as t

from ..errors import InvalidInput
from .filters import Filters, labels_match
from .lookup import find_container, find_image

if t.TYPE_CHECKING:
    from ..network.model import Endpoint
    from .context import Context
    from .ps import Listed

KEYS = (
    "ancestor", "before", "exited", "expose", "id", "label", "name", "network", "publish", "since", "status",
    "volume",
)  # fmt: skip
_STATUSES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")


def choose(context: Context, found: list[Listed], filters: Filters) -> list[Listed]:
    """Those that every filter wants. InvalidInput for a value that cannot be."""
    tests = [_TESTS[key](context, values) for key, values in filters.items()]
    return [each for each in found if all(test(each) for test in tests)]


Test = t.Callable[["Listed"], bool]


def _named(_context: Context, values: list[str]) -> Test:
    """A regular expression, or part of the name, as for Docker; a leading / is Docker's too."""
    import re

    try:
        patterns = [re.compile(value) for value in values]
    except re.error as error:
        raise InvalidInput(f"invalid filter 'name': {error}") from None
    return lambda each: any(
        pattern.search(each.record.name) or pattern.search(f"/{each.record.name}") for pattern in patterns
    )


def _with_id(_context: Context, values: list[str]) -> Test:
    return lambda each: any(each.record.id.startswith(value) for value in values)


def _labelled(_context: Context, values: list[str]) -> Test:
    return lambda each: labels_match(
        {**each.record.image.labels, **(each.record.config.labels or {})}, values
    )


def _with_status(_context: Context, values: list[str]) -> Test:
    for value in values:
        if value not in _STATUSES:
            raise InvalidInput(f"invalid filter 'status={value}'", f"choose one of {', '.join(_STATUSES)}")
    return lambda each: each.status.status in values


def _with_code(_context: Context, values: list[str]) -> Test:
    for value in values:
        if not value.isdigit():
            raise InvalidInput(f"invalid filter 'exited={value}'", "give an exit code")
    codes = [int(value) for value in values]
    return lambda each: each.status.status == "exited" and each.status.exit_code in codes


def _of_image(context: Context, values: list[str]) -> Test:
    """Made of the image, or of one that has all its layers."""
    bases = [find_image(context, value) for value in values]
    layers = [[layer.diff_id for layer in base.layers] for base in bases]
    ids = [base.id for base in bases]
    return lambda each: (
        each.record.image_id in ids
        or any(each.record.image.diff_ids[: len(below)] == below for below in layers if below)
    )


def _before(context: Context, values: list[str]) -> Test:
    limit = min(find_container(context, value).created for value in values)
    return lambda each: each.record.created < limit


def _since(context: Context, values: list[str]) -> Test:
    limit = max(find_container(context, value).created for value in values)
    return lambda each: each.record.created > limit


def _on_network(context: Context, values: list[str]) -> Test:
    from ..container.attachments import network_mode
    from ..network.records import endpoints_of, find_network

    rows = context.engine.records.read()
    found = {value: find_network(rows, value) for value in values}
    names = {network.name if network else value for value, network in found.items()}

    def test(each: Listed) -> bool:
        places: list[Endpoint] = endpoints_of(rows, each.record.id)
        return bool(names.intersection(place.network for place in places)) or (
            not places and network_mode(each.record.config) in names
        )

    return test


def _with_volume(_context: Context, values: list[str]) -> Test:
    from .ps_row import mounts_of

    def test(each: Listed) -> bool:
        places = {text for mount in mounts_of(each.record) for text in (mount.source, mount.target)}
        return bool(places.intersection(values))

    return test


def _publishing(context: Context, values: list[str]) -> Test:
    from ..network.records import ports_of

    wanted = {number for value in values for number in _ports(value)}
    rows = context.engine.records.read()
    return lambda each: any(
        (port.host_port, port.protocol) in wanted or (port.container_port, port.protocol) in wanted
        for port in ports_of(rows, each.record.id)
    )


def _exposing(_context: Context, values: list[str]) -> Test:
    wanted = {f"{number}/{protocol}" for value in values for number, protocol in _ports(value)}
    return lambda each: bool(
        wanted.intersection({*each.record.image.exposed_ports, *(each.record.config.exposed_ports or ())})
    )


def _ports(value: str) -> list[tuple[int, str]]:
    """`80`, `80/udp`, `8000-8010/tcp`"""
    numbers, _slash, protocol = value.partition("/")
    first, _dash, last = numbers.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise InvalidInput(f"invalid filter: {value!r} is not a port", "write 80, 80/udp or 8000-8010")
    return [(number, protocol or "tcp") for number in range(int(first), int(last or first) + 1)]


_TESTS: dict[str, t.Callable[[Context, list[str]], Test]] = {
    "ancestor": _of_image,
    "before": _before,
    "exited": _with_code,
    "expose": _exposing,
    "id": _with_id,
    "label": _labelled,
    "name": _named,
    "network": _on_network,
    "publish": _publishing,
    "since": _since,
    "status": _with_status,
    "volume": _with_volume,
}
