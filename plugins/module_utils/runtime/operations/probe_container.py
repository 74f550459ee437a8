# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One probe of a health check: a program in the container, and what became of it."""

from __future__ import annotations

import typing as t

from ..container.exec_process import ExecRequest
from ..container.health import OUTPUT_LIMIT, HealthCheck
from ..errors import CoracleError, TimedOut
from ..linux.processes import now
from .exec_in_container import exec_in_container

if t.TYPE_CHECKING:
    from ..engine import Engine

_NOT_RUN = -1  # Docker's exit code for a probe without an end of its own


def probe_container(engine: Engine, container_id: str, check: HealthCheck) -> dict[str, t.Any]:
    """The result in Docker's shape: `Start`, `End`, `ExitCode` (0 is healthy), `Output` (both, cut)."""
    start = now()
    request = ExecRequest(check.arguments)
    try:
        done = exec_in_container(
            engine, container_id, request, timeout=check.timeout, max_output=OUTPUT_LIMIT
        )
        code, output = done.code, (done.stdout + done.stderr).decode("utf-8", "replace")
    except TimedOut:
        code, output = _NOT_RUN, f"Health check exceeded timeout ({check.timeout:g}s)"
    except CoracleError as error:
        code, output = error.facts.get("rc", _NOT_RUN), str(error)
    return {"Start": start, "End": now(), "ExitCode": code, "Output": output[:OUTPUT_LIMIT]}
