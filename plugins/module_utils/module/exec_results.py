# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of `container_exec`, in the shape of that of `ansible.builtin.command`."""

from __future__ import annotations

import datetime
import typing as t

from ..runtime.operations.exec_in_container import OUTPUT_LIMIT, ExecResult


def ran(
    command: t.Sequence[str], begun: datetime.datetime, result: ExecResult, strip: bool
) -> dict[str, t.Any]:
    ended = datetime.datetime.now()
    answer: dict[str, t.Any] = {
        "changed": True,
        "cmd": list(command),
        "rc": result.code,
        "stdout": _text(result.stdout, strip),
        "stderr": _text(result.stderr, strip),
        "start": str(begun),
        "end": str(ended),
        "delta": str(ended - begun),
    }
    if result.code != 0:
        answer.update(failed=True, msg="non-zero return code")
    if result.truncated:
        answer["warnings"] = [f"the command wrote more than {OUTPUT_LIMIT >> 20} MiB: the rest is left out"]
    return answer


def _text(output: bytes, strip: bool) -> str:
    text = output.decode("utf-8", "replace")
    return text.rstrip("\r\n") if strip else text


def not_run(command: t.Sequence[str], path: str, exists: bool) -> dict[str, t.Any]:
    """What is there, or is not, says that there is nothing to do."""
    state = "exists" if exists else "does not exist"
    return {
        "changed": False,
        "cmd": list(command),
        "rc": 0,
        "stdout": f"skipped, since {path} {state}",
        "stderr": "",
        "msg": f"Did not run command since '{path}' {state}",
    }


def would_run(command: t.Sequence[str], certain: bool) -> dict[str, t.Any]:
    """In check mode. `certain`: `creates` or `removes` has decided."""
    answer = {
        "changed": certain,
        "cmd": list(command),
        "rc": 0,
        "stdout": "",
        "stderr": "",
        "msg": "Command would have run if not in check mode",
    }
    return answer if certain else {**answer, "skipped": True}
