# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Options of `container_info`: which containers, and what else to find out about them."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ..runtime.errors import InvalidInput
from ..runtime.operations.select_containers import Filters
from .argspec import ArgumentSpec

STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"]
HEALTH = ["starting", "healthy", "unhealthy", "none"]
_TEXTS = {"type": "list", "elements": "str"}

LOOK = ArgumentSpec(
    {
        "name": _TEXTS,
        "filters": {
            "type": "dict",
            "options": {
                "name": _TEXTS,
                "label": _TEXTS,
                "status": {"type": "list", "elements": "str", "choices": STATUSES},
                "image": {"type": "list", "elements": "str", "aliases": ["ancestor"]},
                "network": _TEXTS,
                "volume": _TEXTS,
                "project": {"type": "str"},
                "health": {"type": "list", "elements": "str", "choices": HEALTH},
                "exit_code": {"type": "list", "elements": "int", "aliases": ["exited"]},
                "before": {"type": "str"},
                "since": {"type": "str"},
            },
        },
        "keys": {**_TEXTS, "no_log": False},
        "size": {"type": "bool", "default": False},
        "stats": {"type": "bool", "default": False},
        "stats_interval": {"type": "float", "default": 0.0},
        "processes": {"type": "bool", "default": False},
        "processes_columns": _TEXTS,
        "changes": {"type": "bool", "default": False},
        "logs": {"type": "int"},
    }
)
_LONGEST_INTERVAL = 3600.0


def read_filters(given: t.Mapping[str, t.Any] | None) -> Filters:
    """Names are shell patterns that have to fit as a whole."""
    asked = {key: value for key, value in (given or {}).items() if value is not None}
    return Filters(
        names=[re.compile(r"\A" + fnmatch.translate(pattern)) for pattern in asked.get("name", ())],
        labels=asked.get("label", ()),
        statuses=asked.get("status", ()),
        images=asked.get("image", ()),
        networks=asked.get("network", ()),
        volumes=asked.get("volume", ()),
        project=asked.get("project"),
        health=asked.get("health", ()),
        exit_codes=asked.get("exit_code", ()),
        before=asked.get("before"),
        since=asked.get("since"),
    )


def check_look(params: t.Mapping[str, t.Any]) -> None:
    """What the types alone do not tell."""
    if not 0 <= params["stats_interval"] <= _LONGEST_INTERVAL:
        raise InvalidInput(f"stats_interval: {params['stats_interval']:g} is not between 0 and 3600 seconds")
    if (params["logs"] or 0) < 0:
        raise InvalidInput(f"logs: {params['logs']} is not a number of lines")
