# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the output of a container goes, and how much of it stays: set, again, changed, removed."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import log_segments
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.conmon import rotates_logs
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.programs import find_program
from ansible_collections.coracle.engine.tests.integration.container.harbour import wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
)

WRITER: dict[str, t.Any] = {
    "stop_timeout": 1,
    "command": ["sh", "-c", "trap 'exit 0' TERM; while true; do seq 1000; sleep 0.05; done"],
}
"""Some 20 files of 64 KiB in a second."""


def files(target: Target, result: Result) -> list[int]:
    """Sizes of full files, newest first, and of the one that is being written before them."""
    container_id = result["container"]["Id"]
    numbers = log_segments.numbers(target.paths, container_id)
    return [os.path.getsize(log_segments.segment(target.paths, container_id, one)) for one in numbers]


def test_limits_are_live(target: Target) -> None:
    if rotates_logs(find_program("conmon")):
        pytest.skip("not applicable: this conmon keeps full files itself")
    declared: dict[str, t.Any] = {"image": target.image, **WRITER}
    small = {"max-size": "64k", "max-file": "2"}
    _planned, first = check_do_again(target, **declared, log_options=small)
    assert first["container"]["HostConfig"]["LogConfig"] == {"Type": "k8s-file", "Config": small}
    wait_until(lambda: files(target, first), lambda sizes: len(sizes) == 2 and max(sizes) > 50000)
    _planned, more = check_do_again(
        target, **declared, log_driver="json-file", log_opt={"max-size": "65536", "max-file": 5}
    )
    assert more["actions"] == ["update container web: log_options: max-file is 2, should be 5"]
    assert [one["how"] for one in more["differences"]] == ["live"]
    assert more["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    wait_until(lambda: files(target, first), lambda sizes: len(sizes) == 5)
    less = target.make(**WRITER, log_options={"max-size": "64k", "max-file": 1})
    wait_until(lambda: files(target, first), lambda sizes: len(sizes) == 1)
    assert less["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    _planned, none = check_do_again(target, **declared)
    assert none["actions"] == [
        "update container web: log_options: max-file is no longer wanted, max-size is no longer wanted"
    ]
    wait_until(lambda: files(target, first), lambda sizes: len(sizes) > 5)
    assert max(files(target, first)) <= 64 << 10
    target.remove()


def test_none_has_no_log(target: Target) -> None:
    declared: dict[str, t.Any] = {
        "image": target.image,
        "stop_timeout": 1,
        "command": ["sh", "-c", "trap 'exit 0' TERM; echo hello; sleep 1000 & wait"],
    }
    _planned, silent = check_do_again(target, **declared, log_driver="none")
    directory = pathlib.Path(target.paths.container(silent["container"]["Id"]))
    assert silent["container"]["LogPath"] == ""
    read = {
        "coracle.engine.container_logs": {
            "name": "web",
            "root": target.paths.root,
            "run_root": target.paths.run_root,
        }
    }
    [logs] = target.run(read)
    assert logs["msg"] == (
        "container web has no log: its log_driver is none (choose k8s-file to have its output kept)"
    )
    assert not list(directory.glob("ctr.log*"))
    _planned, kept = check_do_again(target, **declared)
    assert kept["actions"][0].startswith("recreate container web: log_driver is none, should be k8s-file")
    wait_until(lambda: target.run(read)[0]["lines"], lambda lines: lines == ["hello"])
    target.remove()


def test_a_journal_that_is_not_there_leaves_everything_as_it_was(target: Target) -> None:
    if os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("not applicable: a journal is there")
    first = target.make(**QUICK)
    declared: dict[str, t.Any] = {"image": target.image, "log_driver": "journald", **QUICK}
    planned, refused, seen = target.run(
        target.container(check=True, **declared), target.container(**declared), target.info(name="web")
    )
    assert "log_driver: systemd-journald does not run on this host (start it, or use k8s" in refused["msg"]
    assert planned["msg"] == refused["msg"]
    [still] = seen["containers"]
    assert still["State"]["Pid"] == first["container"]["State"]["Pid"]
    assert still["HostConfig"]["LogConfig"]["Type"] == "k8s-file"
    target.remove()


REFUSED: list[tuple[dict[str, t.Any], str]] = [
    ({"log_driver": "fluentd"}, "is not a log driver of this engine (write k8s-file"),
    (
        {"log_driver": "none", "log_options": {"max-file": 2}},
        "max-file has no meaning with the log driver none",
    ),
    ({"log_options": {"tag": "x"}}, "tag has no meaning with the log driver k8s-file (leave it out"),
    ({"log_options": {"max-size": "-1", "max-file": 2}}, "max-file has no meaning without a max-size"),
    ({"umask": 22}, 'quote the octal digits: "0022", or "0026" if they began with a 0'),
    ({"ipc_mode": "none", "shm_size": "1m"}, "shm_size has no meaning with ipc_mode none"),
    ({"volumes": ["/a:/x", "/b:/x"]}, "is the second volume for /x (keep one of them)"),
]


def test_what_makes_no_sense(target: Target) -> None:
    results = target.run(
        *(target.container(image=target.image, **options, **QUICK) for options, _problem in REFUSED)
    )
    for (_options, problem), result in zip(REFUSED, results):
        assert problem in result["msg"]
