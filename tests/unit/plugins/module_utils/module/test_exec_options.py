# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.exec_options import (
    EXEC,
    read_exec_request,
    read_input,
    read_timeout,
)
from ansible_collections.coracle.engine.plugins.module_utils.module.exec_results import (
    not_run,
    ran,
    would_run,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.exec_process import ExecRequest
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.exec_in_container import (
    ExecResult,
)


def params(**given: t.Any) -> dict[str, t.Any]:
    return {**{name: option.get("default") for name, option in EXEC.options.items()}, **given}


@pytest.mark.parametrize(
    ("given", "request_"),
    [
        ({"command": "sh -c 'ls | wc'"}, ExecRequest(["sh", "-c", "ls | wc"])),
        ({"argv": ["a b", ""]}, ExecRequest(["a b", ""])),
        ({"command": "id", "user": "01"}, ExecRequest(["id"], user="1")),
        ({"command": "id", "env": {"B": "2", "A": "1"}}, ExecRequest(["id"], env={"A": "1", "B": "2"})),
        ({"command": "id", "chdir": "/a//b/"}, ExecRequest(["id"], working_dir="/a/b")),
        (
            {"command": "id", "tty": True, "privileged": True},
            ExecRequest(["id"], tty=True, privileged=True),
        ),
    ],
)
def test_requests(given: dict[str, t.Any], request_: ExecRequest) -> None:
    assert read_exec_request(params(**given)) == request_


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"command": ""}, "nothing to run"),
        ({"argv": []}, "nothing to run"),
        ({"command": "sh 'x"}, "cannot be split"),
        ({"command": "id", "user": "-1"}, "is not the name of a user"),
        ({"command": "id", "user": "5000000000"}, "is not an id"),
        ({"command": "id", "chdir": "relative"}, "is not an absolute path"),
        ({"command": "id", "chdir": "/proc/self/fd/7"}, "is in /proc"),
        ({"command": "id", "env": {"A": True}}, "is a boolean, not a string"),
        ({"command": "id", "detach": True, "stdin": ""}, "nobody would write it"),
    ],
)
def test_what_cannot_be_asked(given: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        read_exec_request(params(**given))


def test_input_and_timeout() -> None:
    assert read_input(params()) is None
    assert read_input(params(stdin="a")) == b"a\n"
    assert read_input(params(stdin="ä", stdin_add_newline=False)) == "ä".encode()
    assert read_timeout(params()) is None
    assert read_timeout(params(timeout=0.5)) == 0.5
    for wrong in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InvalidInput, match="is not a time to wait"):
            read_timeout(params(timeout=wrong))


def test_results() -> None:
    begun = datetime.datetime(2026, 11, 24)
    done = ran(["id"], begun, ExecResult(0, b"a\n\r\n", b"\xff\n", False), True)
    assert (done["stdout"], done["stderr"], done.get("failed")) == ("a", "\ufffd", None)
    assert done["start"] == "2026-11-24 00:00:00"
    failed = ran(["id"], begun, ExecResult(3, b"a\n", b"", True), False)
    assert (failed["failed"], failed["stdout"]) == (True, "a\n")
    assert "more than 16 MiB" in failed["warnings"][0]
    assert not_run(["id"], "/x", False)["msg"] == "Did not run command since '/x' does not exist"
    assert (would_run(["id"], True)["changed"], would_run(["id"], False)["changed"]) == (True, False)
