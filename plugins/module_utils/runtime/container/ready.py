# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What tells that a container does its work a port that answers, a page, a program in it."""

from __future__ import annotations

import typing as t

from .values import parse_arguments, parse_duration, parse_integer, refuse

_KINDS = ("tcp", "http", "exec")
_LAST_PORT = 65535
_LONGEST_PATH = 2048


class Ready(t.NamedTuple):
    """One of: `port` alone (somebody accepts connections), `port` and `path` (the page is there: one of
    `statuses`, or 200 to 399 if that is empty), `arguments` (the program ends with 0). Seconds.
    """

    port: int = 0
    path: str = ""
    statuses: tuple[int, ...] = ()
    arguments: tuple[str, ...] = ()
    interval: float = 1.0
    timeout: float = 60.0

    def __str__(self) -> str:
        """What is awaited, as the end of a sentence."""
        if self.arguments:
            return f"{self.arguments[0]} in it succeeds"
        return f"http port {self.port} answers {self.path}" if self.path else f"port {self.port} answers"


def parse_ready(value: t.Any, option: str) -> Ready:
    """InvalidInput for what is no probe."""
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary", f"write one of {', '.join(_KINDS)}")
    given = [kind for kind in _KINDS if value.get(kind) is not None]
    if len(given) != 1:
        raise refuse(given, option, "is not one probe", f"write one of {', '.join(_KINDS)}")
    [kind] = given
    probe = {"tcp": _tcp, "http": _http, "exec": _exec}[kind](value[kind], f"{option}: {kind}")
    if value.get("interval") is not None:
        probe = probe._replace(interval=_seconds(value["interval"], f"{option}: interval"))
    if value.get("timeout") is not None:
        probe = probe._replace(timeout=_seconds(value["timeout"], f"{option}: timeout"))
    return probe


def _tcp(value: t.Mapping[str, t.Any], option: str) -> Ready:
    return Ready(port=parse_integer(value.get("port"), f"{option}: port", 1, _LAST_PORT))


def _http(value: t.Mapping[str, t.Any], option: str) -> Ready:
    path = "/" if value.get("path") is None else str(value["path"])
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise refuse(path, f"{option}: path", "is not the path of a page", "write for example /health")
    if len(path) > _LONGEST_PATH:
        raise refuse(path, f"{option}: path", "is too long")
    statuses = [parse_integer(each, f"{option}: status", 100, 599) for each in value.get("status") or ()]
    return _tcp(value, option)._replace(path=path, statuses=tuple(statuses))


def _exec(value: t.Any, option: str) -> Ready:
    words = parse_arguments(value, option)
    if not words or not words[0]:
        raise refuse(value, option, "has nothing to run")
    return Ready(arguments=tuple(words))


def _seconds(value: t.Any, option: str) -> float:
    nanoseconds = parse_duration(value, option)
    if nanoseconds < 10**6:
        raise refuse(value, option, "is too short", "give at least 1ms")
    return nanoseconds / 10**9
