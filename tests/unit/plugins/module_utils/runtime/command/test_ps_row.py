# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What stands in a row of `ps`."""

from __future__ import annotations

import time

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.ps_row import (
    port_texts,
    shortened,
    status_text,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import Status
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import PublishedPort


def ago(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(time.time() - seconds - 0.5))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Status("created"), "Created"),
        (Status("running", started_at="7200"), "Up 2 hours"),
        (Status("paused", started_at="300"), "Up 5 minutes (Paused)"),
        (Status("exited", exit_code=0, finished_at="180"), "Exited (0) 3 minutes ago"),
        (Status("exited", exit_code=137, finished_at="61"), "Exited (137) About a minute ago"),
        (Status("restarting", exit_code=1, finished_at="120"), "Restarting (1) 2 minutes ago"),
        (Status("removing"), "Removal In Progress"),
        (Status("dead", error="the record is damaged"), "Dead"),
    ],
)
def test_status(status: Status, text: str) -> None:
    """Times are given in seconds before now."""
    times = {name: ago(float(value)) for name, value in status._asdict().items() if str(value).isdigit()}
    moments = {name: times[name] for name in ("started_at", "finished_at") if name in times}
    assert status_text(status._replace(**moments)) == text


def port(number: int, inside: int, address: str = "0.0.0.0", protocol: str = "tcp") -> PublishedPort:
    return PublishedPort("id", address, protocol, number, inside)


@pytest.mark.parametrize(
    ("ports", "exposed", "texts"),
    [
        ([], [], []),
        ([], ["80/tcp"], ["80/tcp"]),
        (
            [port(8080, 80), port(8080, 80, "::")],
            ["80/tcp"],
            ["0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"],
        ),
        (
            [port(8000, 80), port(8001, 81), port(8002, 82), port(53, 53, "127.0.0.1", "udp")],
            ["443/tcp"],
            ["127.0.0.1:53->53/udp", "0.0.0.0:8000-8002->80-82/tcp", "443/tcp"],
        ),
        (
            [port(8000, 80), port(8001, 90)],
            [],
            ["0.0.0.0:8000->80/tcp", "0.0.0.0:8001->90/tcp"],
        ),
    ],
)
def test_ports(ports: list[PublishedPort], exposed: list[str], texts: list[str]) -> None:
    assert port_texts(ports, exposed) == texts


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    assert shortened("x" * 20) == "x" * 20
    assert shortened("x" * 21) == "x" * 19 + "…"
