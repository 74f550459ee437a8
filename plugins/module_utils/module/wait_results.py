# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options and the result of `container_wait`."""

from __future__ import annotations

import time
import typing as t

from ..runtime.engine import Engine
from ..runtime.errors import InvalidInput
from ..runtime.operations.wait_for_containers import Want, wait_for_containers
from .log_results import parse_pattern


def wait_result(engine: Engine, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    began = time.monotonic()
    reached = wait_for_containers(engine, params["name"], _want(params), params["timeout"])
    return {
        "containers": [each._asdict() for each in reached],
        "elapsed": round(time.monotonic() - began, 3),
    }


def _want(params: t.Mapping[str, t.Any]) -> Want:
    if params["timeout"] < 0:
        raise InvalidInput(f"timeout: {params['timeout']:g} is not a number of seconds")
    codes = params["exit_code"]
    if codes is not None and params["state"] != "exited":
        raise InvalidInput("exit_code: only containers that have ended have one", "set state: exited")
    if params["log"] is not None:
        return Want("line", line=parse_pattern(params["log"], "log"))
    return Want(params["state"], exit_codes=codes)
