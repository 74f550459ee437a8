# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What `ps --filter` asks of a container. Source: docs.docker.com/reference/cli/docker/container/ls."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ..errors import InvalidInput, NotFound
from .filters import Filters
from .lookup import find_container, find_image, find_network

if t.TYPE_CHECKING:
    from ..operations.look_at_containers import Seen
    from .context import Context

_STATUSES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_HEALTH = ("starting", "healthy", "unhealthy", "none")


def choose(context: Context, seen: t.Sequence[Seen], filters: Filters) -> list[Seen]:
    """Those that every filter wants. InvalidInput for a value that cannot be, NotFound for what it names."""
    from ..operations import select_containers

    wanted = select_containers.Filters(
        names=[_pattern(value) for value in filters.get("name", ())],
        labels=filters.get("label", ()),
        statuses=_known(filters, "status", _STATUSES),
        images=[find_image(context, value).id for value in filters.get("ancestor", ())],
        networks=[_network(context, value) for value in filters.get("network", ())],
        volumes=filters.get("volume", ()),
        health=_known(filters, "health", _HEALTH),
        exit_codes=[_number(value) for value in filters.get("exited", ())],
        before=_container(context, filters, "before"),
        since=_container(context, filters, "since"),
    )
    found = select_containers.select(context.engine, seen, wanted)
    tests = [_TESTS[key](context, values) for key, values in filters.items() if key in _TESTS]
    return [each for each in found if all(test(each) for test in tests)]


def _pattern(value: str) -> re.Pattern[str]:
    """A regular expression or a part of the name, which for Docker begins with a slash."""
    try:
        return re.compile(re.sub(r"^(\^?)/", r"\1", value))
    except re.error as error:
        raise InvalidInput(f"invalid filter 'name={value}': {error}") from None


def _known(filters: Filters, key: str, choices: t.Collection[str]) -> list[str]:
    values = filters.get(key, [])
    for value in values:
        if value not in choices:
            raise InvalidInput(f"invalid filter '{key}={value}'", f"choose one of {', '.join(choices)}")
    return values


def _number(value: str) -> int:
    if not value.isdigit():
        raise InvalidInput(f"invalid filter 'exited={value}'", "give an exit code")
    return int(value)


def _network(context: Context, value: str) -> str:
    """The name; `none` and `host` are no networks that could be found."""
    with contextlib.suppress(NotFound):
        return find_network(context, value).name
    return value


def _container(context: Context, filters: Filters, key: str) -> str | None:
    """Docker takes one."""
    values = filters.get(key, ())
    return find_container(context, values[-1]).id if values else None


# What only the command asks

Test = t.Callable[["Seen"], bool]


def _with_id(_context: Context, values: list[str]) -> Test:
    return lambda each: each.record.id.startswith(tuple(values))


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
    "expose": _exposing,
    "id": _with_id,
    "publish": _publishing,
}
