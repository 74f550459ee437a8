# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Health checks: what is asked for, what the image says, and how a container is.

    starting ──▶ healthy ◀──▶ unhealthy      unhealthy after `retries` failures in a row; failures within
        └──────────▶ unhealthy               `start_period` do not count until the first success

    <run directory>/health.json    the last results, written by whoever probes, gone with the run

The rules and the shape are Docker's (Engine API 1.47, `Healthcheck` and `Health`).
"""

from __future__ import annotations

import json
import os
import typing as t

from .values import parse_arguments, parse_duration, parse_integer, refuse

if t.TYPE_CHECKING:
    from ..paths import Paths
    from .config import ContainerConfig
    from .records import ContainerRecord

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
NONE, SHELL, DIRECT = "NONE", "CMD-SHELL", "CMD"
KEPT_RESULTS = 5
OUTPUT_LIMIT = 4096
"""Bytes of a probe's output that are kept."""

_SECOND = 10**9
TIMES = ("interval", "timeout", "start_period", "start_interval")
_KEYS = ("test", *TIMES, "retries")
_SHORTEST = 10**6  # nanoseconds, Docker's
_DOCKER_NAMES = {
    "test": "Test",
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
    "retries": "Retries",
}


class HealthCheck(t.NamedTuple):
    """`arguments` are what is run inside. Times in seconds."""

    arguments: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    start_interval: float = 5.0
    retries: int = 3


class Health(t.NamedTuple):
    """`log` are the last results, oldest first: `{"Start", "End", "ExitCode", "Output"}`."""

    status: str = STARTING
    failing_streak: int = 0
    log: tuple[dict[str, t.Any], ...] = ()

    def to_docker(self) -> dict[str, t.Any]:
        return {"Status": self.status, "FailingStreak": self.failing_streak, "Log": list(self.log)}

    def after(self, result: dict[str, t.Any], check: HealthCheck, *, in_start_period: bool) -> Health:
        log = (*self.log, result)[-KEPT_RESULTS:]
        if result["ExitCode"] == 0:
            return Health(HEALTHY, 0, log)
        if self.status == STARTING and in_start_period:
            return Health(STARTING, 0, log)
        streak = self.failing_streak + 1
        return Health(UNHEALTHY if streak >= check.retries else self.status, streak, log)

    @property
    def last_output(self) -> str:
        return str(self.log[-1]["Output"]).strip() if self.log else ""


# What is asked for


def parse_healthcheck(value: t.Any, option: str) -> dict[str, t.Any] | None:
    """Normal form: `test` as Docker keeps it (`["CMD-SHELL", "…"]`, `["CMD", …]`, `["NONE"]`), times in
    nanoseconds; what is not given is left to the image.
    """
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary", "write test, and what else there is to say")
    wrong = sorted(set(value).difference(_KEYS, ("test_cli_compatible",)))
    if wrong:
        raise refuse(wrong[0], option, "is unknown", f"known: {', '.join(_KEYS)}")
    parsed: dict[str, t.Any] = {}
    if value.get("test") is not None:
        parsed["test"] = _parse_test(value["test"], f"{option}: test")
    for name in TIMES:
        if value.get(name) is not None:
            parsed[name] = _parse_time(value[name], f"{option}: {name}")
    if value.get("retries") is not None:
        parsed["retries"] = parse_integer(value["retries"], f"{option}: retries", 0, 10**6)
    given = {name: content for name, content in parsed.items() if content}
    return {"test": [NONE]} if given.get("test") == [NONE] else given or None


def _parse_test(value: t.Any, option: str) -> list[str]:
    """Text is for a shell. A list begins with a word of Docker's, or is a command as it is."""
    if isinstance(value, str):
        text = value.strip()
        return [] if not text else [NONE] if text == NONE else [SHELL, text]
    words = parse_arguments(value, option)
    if not words or not words[0]:
        return []
    if words[0] == NONE:
        return [NONE]
    if words[0] in (SHELL, DIRECT) and len(words) == 1:
        raise refuse(value, option, "has nothing to run")
    if words[0] == SHELL and len(words) > 2:
        raise refuse(value, option, "has more than one text for the shell", f"write {DIRECT} for arguments")
    return words if words[0] in (SHELL, DIRECT) else [DIRECT, *words]


def _parse_time(value: t.Any, option: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= _SHORTEST:
        return value  # a normal form
    nanoseconds = parse_duration(value, option)
    if 0 < nanoseconds < _SHORTEST:
        raise refuse(value, option, "is too short", "give at least 1ms, or 0 for the default")
    return nanoseconds


def healthcheck_of(config: ContainerConfig, image: t.Mapping[str, t.Any] | None) -> dict[str, t.Any] | None:
    """In Docker's shape, what was asked for over what the image says. None: there is none."""
    asked = {_DOCKER_NAMES[name]: value for name, value in (config.healthcheck or {}).items()}
    whole = {**(image or {}), **asked}
    return whole if whole.get("Test") and whole["Test"][0] != NONE else None


def check_of(record: ContainerRecord) -> HealthCheck | None:
    whole = healthcheck_of(record.config, record.image.healthcheck)
    if whole is None:
        return None
    kind, *words = whole["Test"]
    defaults = HealthCheck(())
    times = {name: whole[_DOCKER_NAMES[name]] / _SECOND for name in TIMES if whole.get(_DOCKER_NAMES[name])}
    arguments = ("/bin/sh", "-c", *words) if kind == SHELL else tuple(words)
    return defaults._replace(arguments=arguments, retries=whole.get("Retries") or defaults.retries, **times)


# How it is


def health_of(paths: Paths, record: ContainerRecord) -> Health | None:
    """None without a health check, or when it does not run."""
    if record.state.run is None or check_of(record) is None:
        return None
    try:
        with open(_file(paths, record), encoding="utf-8") as file:
            document = json.load(file)
        return Health(document["Status"], document["FailingStreak"], tuple(document["Log"]))
    except (OSError, ValueError, KeyError):
        return Health()


def save_health(paths: Paths, record: ContainerRecord, health: Health) -> None:
    """For whoever probes. Nothing happens if the run has ended and its directory is gone."""
    from .host_files import write_plain

    path = _file(paths, record)
    try:
        write_plain(f"{path}.new", json.dumps(health.to_docker()).encode(), 0o600)
        os.rename(f"{path}.new", path)
    except FileNotFoundError:
        return


def _file(paths: Paths, record: ContainerRecord) -> str:
    from .status import run_directory

    nonce = record.state.run.nonce if record.state.run else ""
    return os.path.join(run_directory(paths, record.id, nonce), "health.json")
