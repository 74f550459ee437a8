# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What Docker's users know, and hosts on which not everything is as it should be."""

from __future__ import annotations

import dataclasses
import os
import subprocess

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import REMOVING
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.locked_container import save
from ansible_collections.coracle.engine.tests.integration.command.shore import Answer, Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

BOTH = "echo out; echo err >&2; cat"
HIDDEN = "umount -l /sys && mount -t sysfs sysfs /sys && exec "
"""As `ip netns exec` does it: no control groups below the new /sys."""


def test_run_attached_to_some_streams(coracle: Shore) -> None:
    options = ("run", "--rm", "--network", "none", "-i")
    for streams, wanted in (
        (("stdout",), ("out\n", "")),
        (("STDERR",), ("", "err\n")),
        (("stdin", "stdout"), ("out\ntyped\n", "")),
        ((), ("out\ntyped\n", "err\n")),
    ):
        flags = [f"--attach={stream}" for stream in streams]
        if "stdin" not in streams and streams:
            script = BOTH.removesuffix("; cat")
        else:
            script = BOTH
        answer = coracle.run(*options, *flags, "busybox", "sh", "-c", script, stdin="typed\n")
        assert (answer.code, answer.out, answer.err) == (0, *wanted)
    assert "Conflicting options: -a and -d" in coracle.refused(
        "run", "-d", "-a", "stdout", "busybox", "true", code=125
    )
    assert "choose one of stdin, stdout, stderr" in coracle.refused("run", "-a", "tty", "busybox", code=125)


def test_logs_with_details(coracle: Shore, harbour: Harbour) -> None:
    options = {"labels": "tier,none", "env": "LEVEL"}
    harbour.start("web", "echo", "hi", labels={"tier": "a b"}, env={"LEVEL": "x"}, log_options=options)
    harbour.settled("web")
    assert coracle("logs", "--details", "web") == "LEVEL=x,tier=a+b hi\n"
    harbour.start("db", "echo", "hi")
    harbour.settled("db")
    assert coracle("logs", "--details", "db") == " hi\n"


def test_limits_that_cannot_be(coracle: Shore) -> None:
    there = os.cpu_count()
    problem = f"range of CPUs is from 0.01 to {there}.00, as there are only {there} CPUs available"
    for word in ("create", "run"):
        refused = coracle.refused(word, "--cpus", "99", "busybox", code=125 if word == "run" else 1)
        assert f"Error: --cpus: {problem}" in refused
    refused = coracle.refused("create", "--ulimit", "nofile=10:20", "busybox")
    assert "--ulimit: 'nofile=10:20' leaves too few files to start anything (give at least 64)" in refused
    assert coracle("ps", "-aq") == ""
    assert (
        coracle("run", "--rm", "--network=none", "--ulimit=nofile=64", "busybox", "sh", "-c", "ulimit -n")
        == "64\n"
    )


def hidden(coracle: Shore, *arguments: str) -> Answer:
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{HIDDEN} "$@"', "sh", coracle.program, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def test_where_control_groups_cannot_be_seen(coracle: Shore, harbour: Harbour) -> None:
    """Who looks sees everything; who changes something is told, and nothing is half-done."""
    harbour.start("web", "sleep", "1000")
    harbour.create("db", "true")
    before = coracle("ps", "-a", "--format", "{{.Names}} {{.State}}")
    assert hidden(coracle, "ps", "-a", "--format", "{{.Names}} {{.State}}").out == before
    assert hidden(coracle, "system", "df").code == 0
    for arguments in (
        ["rm", "db"],
        ["rm", "-f", "web"],
        ["stop", "web"],
        ["run", "-d", "busybox"],
        ["stats"],
    ):
        answer = hidden(coracle, *arguments)
        assert answer.code in (1, 125)
        assert "no control groups are mounted where this process is" in answer.err
    assert coracle("ps", "-a", "--format", "{{.Names}} {{.State}}") == before


def test_a_word_that_writes_finishes_a_removal(coracle: Shore, harbour: Harbour) -> None:
    for name in ("web", "db"):
        record = harbour.create(name, "true")
        state = dataclasses.replace(record.state, phase=REMOVING)
        save(harbour.engine, dataclasses.replace(record, state=state))
    assert coracle("ps", "-a", "--format", "{{.Status}}").splitlines() == ["Removal In Progress"] * 2
    assert coracle("rm", "web") == "web\n"
    assert coracle("ps", "-a", "--format", "{{.Names}}") == "db\n"
    coracle("create", "--name", "db", "--network", "none", "busybox")
    assert coracle("ps", "-a", "--format", "{{.Names}} {{.Status}}") == "db Created\n"
