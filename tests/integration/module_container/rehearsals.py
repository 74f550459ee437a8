# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every task of the tests that may change something is rehearsed: it runs in check mode first, and what that
says has to be what is done then, byte for byte.

Not with several hosts, which are one machine here: what one of them does is new to the others.
"""

from __future__ import annotations

import json
import typing as t

Task = t.Mapping[str, t.Any]
Result = dict[str, t.Any]

MODULES = tuple(
    f"coracle.engine.{name}" for name in ("container", "containers", "image", "network", "volume")
)
COMPARED = ("changed", "actions", "differences")


def with_rehearsals(tasks: t.Sequence[Task]) -> list[tuple[Task, bool]]:
    """The tasks, each with whether it was put in here. A test that rehearses a task itself need not wait for
    another one.
    """
    whole: list[tuple[Task, bool]] = []
    for number, task in enumerate(tasks):
        rehearsal = {**task, "check_mode": True}
        if is_predicted(task) and (number == 0 or not _same(tasks[number - 1], rehearsal)):
            whole.append((rehearsal, True))
        whole.append((task, False))
    return whole


def check_rehearsals(tasks: t.Sequence[Task], results: t.Sequence[Result]) -> None:
    """Each task that has its rehearsal before it has done what that has said. What fails in check mode fails
    with the same sentence; what cannot be foreseen may fail.
    """
    for number, task in enumerate(tasks[1:], 1):
        rehearsal = {**task, "check_mode": True}
        if is_predicted(task) and _same(tasks[number - 1], rehearsal):
            compare(results[number - 1], results[number], str(task))


def compare(planned: Result, done: Result, what: str) -> None:
    if planned.get("failed"):
        assert done.get("failed"), f"check mode fails, the task does not: {what}: {planned['msg']}"
        assert _fixed(planned["msg"]) == _fixed(done["msg"]), what
    if planned.get("failed") or done.get("failed"):
        return
    assert _said(planned) == _said(done), what
    for one, other in zip(planned.get("results", ()), done.get("results", ())):
        assert _said(one) == _said(other), what


def _fixed(sentence: str) -> str:
    """Ansible lists what it takes for a boolean in any order."""
    return sentence.split("Valid booleans include")[0]


def is_predicted(task: Task) -> bool:
    """A task in the background cannot be in check mode."""
    return not task.get("check_mode") and "async" not in task and any(name in task for name in MODULES)


def _same(one: Task, other: Task) -> bool:
    """But for the diff, which shows more of the same."""
    return {**one, "diff": None} == {**other, "diff": None}


def _said(result: Result) -> str:
    return json.dumps({key: result.get(key) for key in COMPARED}, sort_keys=True)
