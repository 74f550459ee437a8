# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`detach: false`: run, wait, and hand over status and output."""

from __future__ import annotations

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target

SPEAK = ["sh", "-c", "echo to out; echo to err >&2"]


def test_run_wait_output(target: Target) -> None:
    declared = {"image": target.image, "command": SPEAK, "detach": False}
    planned, done, again, gone = target.run(
        target.container(check=True, **declared),
        target.container(**declared),
        target.container(**declared),
        target.container(state="absent"),
    )
    assert "status" not in planned
    assert (done["status"], sorted(done["output"].splitlines())) == (0, ["to err", "to out"])
    assert done["container"]["Output"] == done["output"]
    assert done["container"]["State"]["Status"] == "exited"
    assert again["changed"] is True
    assert again["output"].count("to out") == 1
    assert again["container"]["Id"] == done["container"]["Id"]
    assert gone["changed"] is True


def test_a_failure_fails_the_task(target: Target) -> None:
    [failed, gone] = target.run(
        target.container(image=target.image, command="sh -c 'echo reason; exit 3'", detach=False),
        target.container(state="absent"),
    )
    assert failed["failed"] is True
    assert failed["msg"] == "container web ended with status 3"
    assert (failed["status"], failed["output"]) == (3, "reason\n")
    assert gone["changed"] is True


def test_cleanup_and_auto_remove_leave_nothing(target: Target) -> None:
    declared = {"image": target.image, "command": SPEAK, "detach": False}
    cleaned, removed, detached, info = target.run(
        target.container(**declared, cleanup=True),
        target.container(**declared, auto_remove=True),
        target.container(
            image=target.image, command=["exit 3"], entrypoint=["sh", "-c"], detach=False, cleanup=True
        ),
        target.info(),
    )
    assert cleaned["status"] == removed["status"] == 0
    assert "to out" in cleaned["output"]
    assert "to out" in removed["output"]
    assert cleaned["actions"][-1] == "remove container web: it has ended"
    assert (detached["status"], detached["failed"]) == (3, True)
    assert info["containers"] == []


def test_output_is_bounded(target: Target) -> None:
    line = "a line of sixty characters, more or less, that fills the log"
    noisy = f"i=0; while [ $i -lt 40000 ]; do echo {line}; i=$((i+1)); done; echo the end"
    done = target.one(image=target.image, command=["sh", "-c", noisy], detach=False, cleanup=True)
    assert len(done["output"]) <= 1 << 20
    assert done["output"].endswith("the end\n")
